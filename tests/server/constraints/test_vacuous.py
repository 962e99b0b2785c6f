"""What says nothing is left out where it is a keyword, and nowhere else."""

from typing import Any

import pytest

from sterna.server.constraints.grammars import JsonSchema
from sterna.server.constraints.vacuous import without_vacuous

NAMES: dict[str, Any] = {"propertyNames": {"type": "string"}}


@pytest.mark.parametrize(
    ("schema", "left"),
    [
        (NAMES | {"type": "object"}, {"type": "object"}),
        ({"items": NAMES, "uniqueItems": False}, {"items": {}}),
        ({"anyOf": [NAMES, {"type": "null"}]}, {"anyOf": [{}, {"type": "null"}]}),
        ({"properties": {"a": NAMES}}, {"properties": {"a": {}}}),
        ({"properties": NAMES}, {"properties": NAMES}),
        ({"const": NAMES, "enum": [NAMES]}, {"const": NAMES, "enum": [NAMES]}),
        ({"propertyNames": {"pattern": "a"}}, {"propertyNames": {"pattern": "a"}}),
        ({"uniqueItems": True}, {"uniqueItems": True}),
        ({"additionalProperties": False}, {"additionalProperties": False}),
    ],
)
def test_what_is_left(schema: dict[str, Any], left: dict[str, Any]) -> None:
    assert without_vacuous(schema) == left


def test_a_schema_of_zod_is_taken() -> None:
    JsonSchema({"type": "object", "additionalProperties": {"type": "string"}, **NAMES}).text()
