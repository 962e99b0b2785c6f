"""A keyword that llguidance doesn't know is refused if it demands something, and only then."""

from typing import Any

import pytest

from sterna.server.constraints.grammars import JsonSchema
from sterna.server.constraints.json_schema.keywords import FORMATS
from sterna.server.constraints.json_schema.unsupported import UnsupportedError
from tests.server.constraints.allowing import allowed_values, vocabulary


@pytest.mark.parametrize(
    "idle",
    [
        {"propertyNames": {"type": "string"}}, {"propertyNames": True}, {"propertyNames": {}},
        {"uniqueItems": False}, {"not": False}, {"if": {"type": "null"}}, {"then": {"const": 1}},
        {"else": False}, {"contains": {"const": 1}, "minContains": 0}, {"minContains": 3},
        {"dependentRequired": {}}, {"dependentRequired": {"a": []}},
        {"dependentSchemas": {"a": {}}},
        {"dependencies": {"a": []}}, {"unevaluatedProperties": True}, {"unevaluatedItems": {}},
        {"$dynamicAnchor": "x"}, {"$recursiveAnchor": True}, {"$schema": "http://example.com/s"},
        {"$id": "a b"}, {"deprecated": True}, {"nullable": True}, {"contentSchema": {"type": 3}},
        {"format": "no-such-format"}, {"minProperties": 0}, {"maxItems": 1e300},
    ],
)  # fmt: skip
def test_what_demands_nothing_passes(idle: dict[str, Any]) -> None:
    values = [{}, {"a": 1}, []]
    assert allowed_values({"type": ["object", "array"]} | idle, values) == values


@pytest.mark.parametrize(
    "demand",
    [
        {"propertyNames": {"pattern": "a"}}, {"propertyNames": {"type": "integer"}},
        {"uniqueItems": True}, {"not": {}}, {"if": {}, "then": {"const": 1}},
        {"contains": {"const": 1}}, {"contains": {}, "minContains": 0, "maxContains": 1},
        {"dependentRequired": {"a": ["b"]}}, {"dependentSchemas": {"a": False}},
        {"dependencies": {"a": ["b"]}}, {"unevaluatedItems": False}, {"$dynamicRef": "#x"},
        {"unevaluatedProperties": False, "allOf": [{}]}, {"minProperties": 2},
        {"pattern": "(?=a)b"}, {"const": 2**63}, {"multipleOf": 0}, {"$ref": "http://x/y"},
    ],
)  # fmt: skip
def test_what_cannot_be_kept_to_is_refused_or_left_out(demand: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError, match=r"\w"):
        JsonSchema(demand).text()
    form = JsonSchema(demand, is_exact=False)
    assert form.enforced().left_out in [(name,) for name in demand]
    vocabulary().compile(form.text())


def test_what_is_wrong_is_refused_either_way() -> None:
    wrong: list[dict[str, Any]] = [
        {"type": "strnig"}, {"enum": []}, {"properties": []}, {"required": "a"}, {"$ref": "#/no"},
        {"minimum": "3"}, {"minLength": -1}, {"minLength": 0.5}, {"x-guidance": {}}, {"anyOf": {}},
    ]  # fmt: skip
    for schema in wrong:
        for is_exact in (True, False):
            with pytest.raises(ValueError, match=r"\w"):
                vocabulary().compile(JsonSchema(schema, is_exact).text())


def test_every_format_that_is_kept_to_is_known() -> None:
    for name in FORMATS:
        vocabulary().compile(JsonSchema({"type": "string", "format": name}).text())


def test_names_of_properties_are_no_keywords() -> None:
    names = ["not", "const", "minimum", "uniqueItems", "pattern", "x-guidance", "$ref"]
    schema = {"type": "object", "properties": {name: {"type": "integer"} for name in names}}
    assert allowed_values(schema, [{name: 1} for name in names]) == [{name: 1} for name in names]
    assert allowed_values({"const": {"not": 1, "$ref": 2}}, [{"not": 1, "$ref": 2}])


def test_a_record_of_zod_is_taken() -> None:
    schema = {"type": "object", "propertyNames": {"type": "string"}}
    values = [{"a": "b"}, {"a": 1}]
    assert (
        allowed_values(schema | {"additionalProperties": {"type": "string"}}, values) == values[:1]
    )
