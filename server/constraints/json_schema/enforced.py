"""Reads a client's schema, and writes the one that llguidance gets.

What can't be kept to is refused, or left out and named. What says nothing is left out. All that
is referred to comes into ``$defs`` under a number: names may have any characters, and what nothing
refers to is not compiled.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sterna.server.constraints.json_schema.cases import exclude_each_other
from sterna.server.constraints.json_schema.closing import IN_PLACE, is_composite, names_of_closed
from sterna.server.constraints.json_schema.keywords import kept
from sterna.server.constraints.json_schema.members import patterns_of
from sterna.server.constraints.json_schema.multiples import check_multiples
from sterna.server.constraints.json_schema.patterns import kept_pattern
from sterna.server.constraints.json_schema.references import Document
from sterna.server.constraints.json_schema.unsupported import UnsupportedError, check_supported

OPTIONS_KEY: Final = "x-guidance"  # with which a schema would set llguidance's options by itself
MAPS: Final = frozenset({"properties", "patternProperties"})
PATTERNS: Final = frozenset({"pattern", "patternProperties"})
WITHIN: Final = frozenset({"items", "prefixItems", "additionalItems", "additionalProperties"})

OVERLAP: Final = (
    "the cases of oneOf might overlap: use anyOf, or let each case require a property with a "
    "const of its own"
)

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Enforced:
    """What is kept to, and the keywords that are not."""

    schema: dict[str, Any]
    left_out: tuple[str, ...] = ()


def enforced(
    schema: Schema, *, is_exact: bool = True, without: frozenset[str] = frozenset()
) -> Enforced:
    """Return what can be kept to of a schema.

    is_exact: nothing may be left out. without: patterns that are.
    Raises ValueError for what is wrong, and UnsupportedError if all that is exact is too much.
    """
    return _Reader(schema, is_exact, without).read()


class _Reader:
    """Reads one schema."""

    def __init__(self, schema: Schema, is_exact: bool, without: frozenset[str]) -> None:
        self._schema = schema
        self._document = Document(schema)
        self._is_exact = is_exact
        self._without = without
        self._left_out: dict[str, None] = {}
        self._names: dict[tuple[int, bool], str] = {}  # of what is referred to, whole or as a part
        self._pending: list[tuple[str, object, bool]] = []

    def read(self) -> Enforced:
        """All of it."""
        result = self._read(self._schema, is_part=False)
        definitions = {}
        while self._pending:
            name, schema, is_part = self._pending.pop()
            definitions[name] = self._read(schema, is_part=is_part)
        if definitions:
            result["$defs"] = definitions
        check_multiples(result)
        return Enforced(result, tuple(self._left_out))

    def _read(self, schema: Any, *, is_part: bool) -> Any:  # noqa: ANN401 (any JSON)
        """One schema. is_part: others say too which properties its objects have."""
        if not isinstance(schema, Mapping):
            return schema  # true or false; llguidance refuses the rest
        if OPTIONS_KEY in schema:
            raise ValueError(f"{OPTIONS_KEY} is not supported: leave it out")
        if schema.keys() >= {"anyOf", "oneOf"}:
            schema = _apart(schema)
        found: dict[str, Any] = {}
        for keyword in schema:
            found |= self._keep(keyword, schema, is_part=is_part or is_composite(schema))
        if "patternProperties" in schema.keys() - found.keys():
            found.pop("additionalProperties", None)  # else what follows a pattern could not be
        elif not is_part:
            self._close(schema, found)
        return found

    def _close(self, schema: Schema, found: dict[str, Any]) -> None:
        try:
            names = names_of_closed(self._document, schema)
        except UnsupportedError:
            return  # part of it is a reference that has been left out
        listed = found.get("properties", {})
        if names is not None and isinstance(listed, dict):
            found["properties"] = listed | {name: True for name in names if name not in listed}
            found["additionalProperties"] = False

    def _keep(self, keyword: str, schema: Schema, *, is_part: bool) -> dict[str, Any]:
        try:
            check_supported(keyword, schema)
            return self._keyword(keyword, schema, is_part=is_part)
        except UnsupportedError as error:
            self._leave_out(keyword, error)
            return {}

    def _leave_out(self, keyword: str, error: UnsupportedError) -> None:
        if self._is_exact:
            raise error
        self._left_out[keyword] = None

    def _keyword(self, keyword: str, schema: Schema, *, is_part: bool) -> dict[str, Any]:
        """What is left of a keyword. Raises UnsupportedError, ValueError."""
        value = schema[keyword]
        if self._without & patterns_of({keyword: value} if keyword in PATTERNS else {}):
            raise UnsupportedError(f"{keyword} has a pattern that can't be compiled")
        if keyword in MAPS and isinstance(value, Mapping):
            names = map(kept_pattern, value) if keyword == "patternProperties" else value
            read = (self._read(it, is_part=False) for it in value.values())
            return {keyword: dict(zip(names, read, strict=True))}
        if keyword in IN_PLACE and isinstance(value, list):
            return self._in_place(keyword, value, is_part=is_part)
        if keyword in WITHIN:
            return {keyword: self._within(value)}
        if keyword == "$ref":
            return {keyword: self._reference(value, is_part=is_part)}
        return kept(keyword, schema)

    def _in_place(self, keyword: str, cases: list[object], *, is_part: bool) -> dict[str, Any]:
        read = [self._read(case, is_part=is_part) for case in cases]
        if keyword == "oneOf" and not exclude_each_other(self._document, cases):
            self._leave_out(keyword, UnsupportedError(OVERLAP))
        return {"anyOf" if keyword == "oneOf" else keyword: read}

    def _within(self, value: object) -> object:
        if isinstance(value, list):
            return [self._read(item, is_part=False) for item in value]
        return self._read(value, is_part=False)

    def _reference(self, reference: object, *, is_part: bool) -> str:
        target = self._document.find(reference)
        key = (id(target), is_part)
        if key not in self._names:
            self._names[key] = str(len(self._names))
            self._pending.append((self._names[key], target, is_part))
        return f"#/$defs/{self._names[key]}"


def _apart(schema: Schema) -> Schema:
    """The same, with ``oneOf`` in a schema of its own: what it becomes has a name that is taken."""
    rest = {keyword: value for keyword, value in schema.items() if keyword != "oneOf"}
    return rest | {"allOf": [*schema.get("allOf", ()), {"oneOf": schema["oneOf"]}]}
