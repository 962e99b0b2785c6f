"""What closes an object: one that lists its properties has no others, unless it says so.

A small model would go on inventing members until its tokens end. The draft leaves such an object
open, so what is written under this rule is valid there too. Where a schema is put together from
several, by ``allOf`` or ``$ref`` beside properties, each may have what the others list.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sterna.server.constraints.json_schema.references import Document

IN_PLACE: Final = ("allOf", "anyOf", "oneOf")  # schemas of the same value
OPENING: Final = ("additionalProperties", "unevaluatedProperties")


def is_composite(schema: Mapping[str, Any]) -> bool:
    """Whether properties come from several places."""
    num_parts = sum(len(schema[k]) if k == "allOf" else 1 for k in IN_PLACE if _lists(schema, k))
    num_parts += "$ref" in schema
    return num_parts > 1 or (num_parts == 1 and bool(schema.keys() & {"properties", "required"}))


def names_of_closed(document: Document, schema: Mapping[str, Any]) -> list[str] | None:
    """All properties that an object of the schema has, if it is closed by not being opened."""
    if "additionalProperties" in schema:
        return None
    parts = document.parts(schema, IN_PLACE) if is_composite(schema) else [schema]
    is_open = any(map(_opens, parts)) or (len(parts) > 1 and any(map(_has_patterns, parts)))
    if is_open or not any(isinstance(part.get("properties"), Mapping) for part in parts):
        return None
    return [name for part in parts for name in _names(part)]


def _opens(part: Mapping[str, Any]) -> bool:
    return any(part.get(keyword, False) is not False for keyword in OPENING)


def _has_patterns(part: Mapping[str, Any]) -> bool:
    return "patternProperties" in part


def _names(part: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(part.get("properties"), Mapping):
        yield from part["properties"]
    if isinstance(part.get("required"), list):
        yield from (name for name in part["required"] if isinstance(name, str))


def _lists(schema: Mapping[str, Any], keyword: str) -> bool:
    return isinstance(schema.get(keyword), list)
