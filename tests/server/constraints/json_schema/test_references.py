"""Whatever a definition is called, and wherever it stands, it is found in the document."""

from typing import Any

import pytest

from sterna.server.constraints.grammars import JsonSchema
from tests.server.constraints.allowing import allowed_values


@pytest.mark.parametrize(
    ("name", "written"),
    [("Page[int]", "Page[int]"), ("Page[int]", "Page%5Bint%5D"), ("A<B, C>", "A<B, C>"), ("é", "é"),
     ("a/b~c", "a~1b~0c"), ("a b", "a b")],
)  # fmt: skip
def test_a_name_may_have_any_characters(name: str, written: str) -> None:
    schema = {"$ref": f"#/$defs/{written}", "$defs": {name: {"type": "boolean"}}}
    assert allowed_values(schema, [True, 1]) == [True]


@pytest.mark.parametrize(
    ("reference", "rest"),
    [
        ("#/components/schemas/B", {"components": {"schemas": {"B": {"type": "boolean"}}}}),
        ("#/x/0/not", {"x": [{"not": {"type": "boolean"}}]}),
        ("#b", {"$defs": {"B": {"$anchor": "b", "type": "boolean"}}}),
        ("b", {"$defs": {"B": {"$id": "b", "type": "boolean"}}}),
        ("b#/$defs/c", {"$defs": {"B": {"$id": "b", "$defs": {"c": {"type": "boolean"}}}}}),
    ],
)
def test_a_place_may_be_anywhere(reference: str, rest: dict[str, Any]) -> None:
    assert allowed_values(
        {"type": "array", "items": {"$ref": reference}, **rest}, [[True], [1]]
    ) == [[True]]


def test_recursion_goes_on() -> None:
    schema = {"type": "object", "properties": {"next": {"$ref": "#"}}}
    values: list[Any] = [{"next": {"next": {}}}, {"next": {"other": {}}}]
    assert allowed_values(schema, values) == values[:1]


@pytest.mark.parametrize(
    ("reference", "reason"),
    [("http://127.0.0.1:9/s.json", r"put it into \$defs"), ("#/$defs/no", "there is no 'no'"),
     ("#no", r"put it into \$defs"), ("#/$defs/a/0", "there is no '0'"), (1, "must be a string")],
)  # fmt: skip
def test_what_is_not_there_is_refused(reference: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        JsonSchema({"$ref": reference, "$defs": {"a": {}}}).text()
