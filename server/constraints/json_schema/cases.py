"""Whether the cases of ``oneOf`` exclude each other, so that any of them is exactly one.

Found by type, by constants, or by a property that each case requires with constants of its own.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations
from json import dumps, loads
from typing import Any, Final

from sterna.server.constraints.json_schema.references import Document

MAX_CASES: Final = 256  # each is held against each
TYPES: Final = frozenset({"null", "boolean", "number", "string", "array", "object"})
OF_PYTHON: Final = {
    type(None): "null", bool: "boolean", int: "number", float: "number",
    str: "string", list: "array", dict: "object",
}  # fmt: skip


def exclude_each_other(document: Document, cases: Sequence[object]) -> bool:
    """Whether no value can be of two of the cases."""
    facts = [_Facts(document, case) for case in cases]
    return len(facts) <= MAX_CASES and all(a.excludes(b) for a, b in combinations(facts, 2))


class _Facts:
    """What every value of a schema has."""

    def __init__(self, document: Document, schema: object, *, looks_within: bool = True) -> None:
        self.types = TYPES
        self.literals: frozenset[str] | None = None  # as JSON; None: not only some
        self.members: dict[str, _Facts] = {}  # that an object always has
        for part in document.parts(schema, ("allOf",)):
            self._add(part)
            if looks_within:
                facts = partial(_Facts, document, looks_within=False)
                self.members |= {name: facts(it) for name, it in _required(part).items()}

    def excludes(self, other: "_Facts") -> bool:
        """Whether no value has these facts and the others."""
        if not self.types & other.types:
            return True
        if self.literals is not None and other.literals is not None:
            return not self.literals & other.literals
        if not self.types == other.types == {"object"}:
            return False
        shared = self.members.keys() & other.members.keys()
        return any(self.members[name].excludes(other.members[name]) for name in shared)

    def _add(self, part: Mapping[str, Any]) -> None:
        if "type" in part:
            stated = part["type"] if isinstance(part["type"], list) else [part["type"]]
            names = ("number" if name == "integer" else name for name in stated)
            self.types = self.types & frozenset(map(str, names))
        values = [part["const"]] if "const" in part else part.get("enum")
        if isinstance(values, list):
            self.literals = frozenset(map(_canonical, values))
            self.types = self.types & {OF_PYTHON.get(type(value), "") for value in values}


def _required(part: Mapping[str, Any]) -> dict[str, object]:
    """The properties that an object must have, with their schemas."""
    required, properties = part.get("required"), part.get("properties")
    if not isinstance(required, list) or not isinstance(properties, Mapping):
        return {}
    names = (name for name in required if isinstance(name, str) and name in properties)
    return {name: properties[name] for name in names}


def _canonical(value: object) -> str:
    """One text for values that are equal in JSON, where 1 and 1.0 are."""
    return dumps(loads(dumps(value), parse_float=_number), sort_keys=True)


def _number(text: str) -> float:
    number = float(text)
    return int(number) if number.is_integer() else number
