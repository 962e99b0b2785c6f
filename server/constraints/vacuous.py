"""Keywords of a JSON schema that hold for every value, as schema generators write them."""

from collections.abc import Mapping
from typing import Any, Final

_VACUOUS: Final[Mapping[str, tuple[object, ...]]] = {
    "propertyNames": ({"type": "string"}, {}, True),
    "uniqueItems": (False,),
}
_NAMED: Final = {"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"}
_DATA: Final = {"const", "default", "enum", "examples"}


def without_vacuous(schema: Any) -> Any:  # noqa: ANN401 (any JSON)
    """Remove them, because llguidance refuses these keywords whatever their value."""
    if isinstance(schema, list):
        return list(map(without_vacuous, schema))
    if not isinstance(schema, Mapping):
        return schema
    said = {key: value for key, value in schema.items() if value not in _VACUOUS.get(key, ())}
    return {key: _within(key, value) for key, value in said.items()}


def _within(key: str, value: Any) -> Any:  # noqa: ANN401
    if key in _DATA:
        return value
    if key in _NAMED and isinstance(value, Mapping):
        return {name: without_vacuous(schema) for name, schema in value.items()}
    return without_vacuous(value)
