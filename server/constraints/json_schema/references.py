"""What ``$ref`` points to, within one document: nothing is ever fetched."""

from collections.abc import Collection, Mapping
from typing import Any, Final
from urllib.parse import unquote

from sterna.server.constraints.json_schema.members import objects
from sterna.server.constraints.json_schema.unsupported import UnsupportedError

NAMES: Final = ("$id", "$anchor")


class Document:
    """A schema as the client sent it."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._named: dict[tuple[str, str], object] = {}

    def find(self, reference: object) -> object:
        """Return what is referred to. Raises ValueError if it is nothing.

        Raises UnsupportedError for another document.
        """
        if not isinstance(reference, str):
            raise ValueError(f"$ref must be a string, not {reference!r}")
        document, _, fragment = reference.partition("#")
        root = self._find_named("$id", document) if document else self._schema
        if not fragment:
            return root
        if fragment.startswith("/"):
            return _follow(root, fragment, reference)
        return self._find_named("$anchor", fragment)

    def parts(self, schema: object, keywords: Collection[str] = ()) -> list[Mapping[str, Any]]:
        """The schema and what it refers to, and of all these the schemas under ``keywords``.

        Raises as ``find`` does.
        """
        pending, found = [schema], dict[int, Mapping[str, Any]]()
        while pending:
            item = pending.pop(0)
            if isinstance(item, Mapping) and id(item) not in found:
                found[id(item)] = item
                lists = (item[name] for name in keywords if isinstance(item.get(name), list))
                pending += [part for each in lists for part in each]
                pending += [self.find(item["$ref"])] if "$ref" in item else []
        return list(found.values())

    def _find_named(self, keyword: str, name: str) -> object:
        if not self._named:
            for schema in objects(self._schema):
                self._named |= {(k, str(schema[k])): schema for k in NAMES if k in schema}
        if (keyword, name) not in self._named:
            raise UnsupportedError(f"$ref to {name!r}, not in this schema: put it into $defs")
        return self._named[keyword, name]


def _follow(value: object, pointer: str, reference: str) -> object:
    for step in unquote(pointer).split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        try:
            value = value[int(name) if isinstance(value, list) else name]  # type: ignore[index]
        except (KeyError, IndexError, TypeError, ValueError):
            raise ValueError(f"$ref {reference!r}: there is no {name!r}") from None
    return value
