"""What is left of a keyword that has no schema in it."""

from collections.abc import Mapping
from typing import Any, Final

from sterna.server.constraints.json_schema.multiples import check_multiple
from sterna.server.constraints.json_schema.numbers import (
    BOUNDS,
    LENGTHS,
    bound,
    check_literals,
    is_number,
    length,
)
from sterna.server.constraints.json_schema.patterns import kept_pattern
from sterna.server.constraints.json_schema.unsupported import UnsupportedError

FORMATS: Final = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri"}
)
KNOWN: Final = frozenset({
    "type", "required", "pattern", "format", "const", "enum", "multipleOf",
    "properties", "patternProperties", "allOf", "anyOf", "oneOf",  # if wrong: llguidance says why
})  # fmt: skip


def kept(keyword: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return what llguidance gets of it; nothing of what says nothing, as an annotation.

    Raises UnsupportedError. What has a wrong type stays as it is, for llguidance to refuse.
    """
    value = schema[keyword]
    if keyword in BOUNDS:
        return _bound(keyword, schema)
    if keyword in LENGTHS:
        return _length(keyword, value)
    if keyword == "unevaluatedProperties":  # where nothing else is evaluated
        return {} if value is not False else {"additionalProperties": False}
    if keyword == "multipleOf" and is_number(value):
        check_multiple(value)
    if keyword in ("const", "enum"):
        check_literals(keyword, value)
    if keyword == "pattern" and isinstance(value, str):
        value = kept_pattern(value)
    is_annotation = keyword == "format" and isinstance(value, str) and value not in FORMATS
    return {keyword: value} if keyword in KNOWN and not is_annotation else {}


def _bound(keyword: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    value = schema[keyword]
    if isinstance(value, bool) and keyword.startswith("exclusive"):  # as draft 4 has it
        value = schema.get(keyword.removeprefix("exclusive").lower()) if value else None
        if value is None:
            return {}
    return {keyword: bound(keyword, value) if is_number(value) else value}


def _length(keyword: str, value: object) -> dict[str, Any]:
    if keyword == "minProperties" and is_number(value) and value > 1:
        raise UnsupportedError("minProperties above 1 is not supported")  # a key may come twice
    if not is_number(value) or value % 1:
        return {keyword: value}
    found = length(keyword, value)
    return {} if found is None else {keyword: found}
