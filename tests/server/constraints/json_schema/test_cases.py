"""oneOf is kept to where its cases exclude each other, and refused where they might not."""

from typing import Any

import pytest

from sterna.server.constraints.grammars import JsonSchema
from sterna.server.constraints.json_schema.unsupported import UnsupportedError
from tests.server.constraints.allowing import allowed_values


def kind(name: object, **others: object) -> dict[str, Any]:
    properties = {"kind": {"const": name}, **others}
    return {"type": "object", "properties": properties, "required": ["kind"]}


CAT, DOG = kind("cat", purrs={"type": "boolean"}), kind("dog")
VALUES: list[Any] = [
    {"kind": "cat", "purrs": True},
    {"kind": "dog"},
    {"kind": "dog", "purrs": True},
]


@pytest.mark.parametrize(
    "schema",
    [
        {"oneOf": [CAT, DOG]},
        {"oneOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}],
         "discriminator": {"propertyName": "kind"}, "$defs": {"Cat": CAT, "Dog": DOG}},
    ],
    ids=["plain", "by reference"],
)  # fmt: skip
def test_cases_with_a_constant_of_their_own(schema: dict[str, Any]) -> None:
    assert allowed_values(schema, VALUES) == VALUES[:2]


def test_cases_beside_anyof() -> None:
    cases: dict[str, Any] = {"oneOf": [{"const": 1}, {"const": 2}], "anyOf": [{"enum": [2, 3]}]}
    assert allowed_values(cases, [1, 2, 3]) == [2]


@pytest.mark.parametrize(
    ("cases", "values"),
    [
        ([{"const": "a"}, {"const": 1}, {"enum": ["b", None]}], ["a", 1, "b", None]),
        ([{"type": "string"}, {"type": "integer"}, {"type": "null"}], ["a", 1, None]),
        ([kind(1), kind(True)], [{"kind": 1}, {"kind": True}]),
    ],
)
def test_cases_of_other_values_or_types(cases: list[Any], values: list[Any]) -> None:
    assert allowed_values({"oneOf": cases}, values) == values


@pytest.mark.parametrize(
    "cases",
    [
        [{"type": "string"}, {"type": "string"}],
        [{"type": "integer"}, {"type": "number"}],
        [{"const": 1}, {"const": 1.0}],
        [{"const": [1]}, {"enum": [[1.0]]}],
        [{}, {"type": "null"}],
        [{"type": "object", "properties": {"a": {}}, "required": ["a"]}, {"properties": {"b": {}}}],
        [kind("cat"), kind("dog") | {"required": []}],
        [{"properties": {"k": {"const": 1}}, "required": ["k"]}, kind("k", k={"const": 2})],
    ],
)
def test_cases_that_might_overlap_are_refused_in_words_of_the_draft(cases: list[Any]) -> None:
    with pytest.raises(UnsupportedError, match="use anyOf, or let each case require") as caught:
        JsonSchema({"oneOf": cases}).text()
    assert "coerce" not in str(caught.value)
    assert JsonSchema({"oneOf": cases}, is_exact=False).enforced().left_out == ("oneOf",)
