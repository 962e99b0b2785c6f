"""Keywords of the draft that llguidance doesn't know, and when they demand nothing anyway."""

from collections.abc import Callable, Mapping
from typing import Any, Final

Schema = Mapping[str, Any]


class UnsupportedError(ValueError):
    """What a keyword demands is meant well, but can't be kept to."""


# What says something of values. All other names are annotations, as the draft has it.
ASSERTIONS: Final = frozenset({
    "$ref", "$dynamicRef", "$recursiveRef", "type", "const", "enum",
    "allOf", "anyOf", "oneOf", "not", "if", "then", "else",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    "minLength", "maxLength", "pattern",
    "items", "prefixItems", "additionalItems", "unevaluatedItems", "contains",
    "minItems", "maxItems", "uniqueItems",
    "properties", "patternProperties", "additionalProperties", "unevaluatedProperties",
    "propertyNames", "required", "minProperties", "maxProperties",
    "dependentRequired", "dependentSchemas", "dependencies",
})  # fmt: skip
EVALUATING: Final = frozenset({"additionalProperties", "allOf", "anyOf", "oneOf", "$ref"})


def _is_any(schema: object) -> bool:
    """Whether a schema allows all values, and says so plainly."""
    return schema is True or (isinstance(schema, Mapping) and not schema.keys() & ASSERTIONS)


def _allows_strings(names: object) -> bool:
    """Names are strings, so it demands nothing to be one."""
    if not isinstance(names, Mapping) or names.get("type", "string") != "string":
        return names is True
    return _is_any({keyword: names[keyword] for keyword in names if keyword != "type"})


def _has_no_demand(names: object) -> bool:
    """Of ``{name: what an object with it must have}``."""
    return isinstance(names, Mapping) and all(it == [] or _is_any(it) for it in names.values())


# Of each such keyword: whether its value, in its schema, demands nothing.
_IDLE: Final[Mapping[str, Callable[[Any, Schema], bool]]] = {
    "not": lambda value, _: value is False,
    "if": lambda _, schema: _is_any(schema.get("then", True)) and _is_any(schema.get("else", True)),
    "contains": lambda _, schema: schema.get("minContains") == 0 and "maxContains" not in schema,
    "uniqueItems": lambda value, _: value is False,
    "propertyNames": lambda value, _: _allows_strings(value),
    "dependentRequired": lambda value, _: _has_no_demand(value),
    "dependentSchemas": lambda value, _: _has_no_demand(value),
    "dependencies": lambda value, _: _has_no_demand(value),
    "unevaluatedItems": lambda value, _: _is_any(value),
    "unevaluatedProperties": lambda value, schema: (
        _is_any(value) or (value is False and not schema.keys() & EVALUATING)
    ),
    "$dynamicRef": lambda _value, _schema: False,
    "$recursiveRef": lambda _value, _schema: False,
}


def check_supported(keyword: str, schema: Schema) -> None:
    """Raise UnsupportedError if a keyword of the schema demands what can't be kept to."""
    if keyword in _IDLE and not _IDLE[keyword](schema[keyword], schema):
        raise UnsupportedError(f"{keyword} is not supported: leave it out")
