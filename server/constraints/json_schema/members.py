"""All that is within a JSON value, without recursion."""

from collections.abc import Iterator, Mapping
from typing import Any


def objects(value: object) -> Iterator[Mapping[str, Any]]:
    """Every object within, itself included."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, Mapping):
            yield item
            pending += item.values()
        elif isinstance(item, list):
            pending += item


def members(value: object) -> Iterator[tuple[str, Any]]:
    """Every name and value of all objects within."""
    for item in objects(value):
        yield from item.items()


def patterns_of(schema: object) -> frozenset[str]:
    """All patterns of a schema, of strings and of names."""
    found = set[str]()
    for key, value in members(schema):
        if key == "pattern" and isinstance(value, str):
            found.add(value)
        elif key == "patternProperties" and isinstance(value, Mapping):
            found |= value.keys()
    return frozenset(found)
