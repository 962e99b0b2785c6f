"""An object that lists its properties has no others, unless the schema says so."""

from typing import Any

import pytest

from sterna.server.constraints.grammars import JsonSchema
from tests.server.constraints.allowing import allowed_values

A = {"type": "object", "properties": {"a": {"type": "integer"}}}
B = {"properties": {"b": {"type": "integer"}}}
VALUES: list[Any] = [{}, {"a": 1}, {"b": 1}, {"a": 1, "b": 1}, {"a": 1, "c": 1}, {"c": 1}]
DEFS = {"$defs": {"A": A, "B": B}}
REF_A, REF_B = {"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}
BOTH = [{}, {"a": 1}, {"b": 1}, {"a": 1, "b": 1}]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (A, [{}, {"a": 1}]),
        ({"type": "object", "properties": {}}, [{}]),
        ({"type": "object"}, VALUES),
        (A | {"additionalProperties": True}, VALUES),
        (A | {"additionalProperties": {"type": "integer"}}, VALUES),
        (A | {"additionalProperties": False}, [{}, {"a": 1}]),
        (A | {"unevaluatedProperties": False}, [{}, {"a": 1}]),
        (A | {"unevaluatedProperties": True}, VALUES),
        (A | {"required": ["c"]}, [{"a": 1, "c": 1}, {"c": 1}]),
        (A | {"patternProperties": {"^b": {"type": "integer"}}}, BOTH),
        ({"type": "object", "allOf": [REF_A]} | DEFS, [{}, {"a": 1}]),
        ({"type": "object", "allOf": [REF_A, REF_B]} | DEFS, BOTH),
        ({"type": "object", **REF_A, **B} | DEFS, BOTH),
        ({"type": "object", "allOf": [A | {"additionalProperties": True}, B]}, VALUES),
        ({"type": "object", "anyOf": [A, B | {"type": "object"}]}, [{}, {"a": 1}, {"b": 1}]),
        (A | B | {"anyOf": [{"required": ["b"]}, {"required": ["c"]}]}, [{"b": 1}, {"c": 1}]),
    ],
)
def test_what_an_object_may_have(schema: dict[str, Any], expected: list[Any]) -> None:
    assert allowed_values(schema, VALUES) == expected


def test_a_definition_is_closed_where_it_stands_alone() -> None:
    schema = {
        "type": "object",
        "properties": {"alone": REF_A, "both": {"allOf": [REF_A, REF_B]}},
        **DEFS,
    }
    values = [{"both": {"a": 1, "b": 1}}, {"alone": {"a": 1, "b": 1}}, {"alone": {"a": 1}}]
    assert allowed_values(schema, values) == [values[0], values[2]]


def test_a_chain_of_schemas_that_apply_to_one_value_ends() -> None:
    schema = {"$ref": "#/$defs/x", "required": ["a"], "$defs": {"x": {"allOf": [{"$ref": "#"}]}}}
    assert JsonSchema(schema).text()
