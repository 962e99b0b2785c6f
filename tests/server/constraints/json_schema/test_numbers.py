"""Numbers are kept to exactly, or come inside what is asked, or are refused."""

import json
from typing import Any

import pytest

from sterna.server.constraints.grammars import JsonSchema
from sterna.server.constraints.json_schema.numbers import LARGEST, MAX_LENGTH, bound, length
from sterna.server.constraints.json_schema.unsupported import UnsupportedError
from tests.server.constraints.allowing import allowed_values

INT64 = 2**63


@pytest.mark.parametrize(
    "value",
    [-INT64, INT64 - 1, INT64, 2**64, 2**53 + 1, -(2**53) - 1, 10**400, 1e300, -1e300, 1e20,
     0.30000000000000004, 5e-324],
)  # fmt: skip
def test_a_constant_that_would_become_another_is_refused(value: float) -> None:
    for schema in ({"const": value}, {"enum": [1, [{"a": value}]]}):
        with pytest.raises(UnsupportedError, match="at most 15 digits"):
            JsonSchema(schema).text()


@pytest.mark.parametrize("value", [0, -1, 2**53, -(2**53), LARGEST, 0.1, -2.5, 1e-4, 1e18])
def test_other_constants_are_kept_to(value: float) -> None:
    others = [value + 1, value - 1, value + 0.25, 3]
    assert allowed_values({"const": value}, [value, int(value)])
    assert all(other == value for other in allowed_values({"const": value}, others))


@pytest.mark.parametrize(
    ("keyword", "value", "expected"),
    [
        ("minimum", -INT64, -LARGEST),
        ("minimum", -1e300, -LARGEST),
        ("maximum", INT64 - 1, LARGEST),
        ("maximum", 10**400, LARGEST),
        ("minimum", 2**53 + 1, 2**53 + 2),
        ("maximum", 2**53 + 1, 2**53),
        ("exclusiveMinimum", 2**53 - 1, 2**53 - 1),
        ("exclusiveMinimum", 2**53, 2**53 + 2),
        ("exclusiveMaximum", -(2**60), -(2**60) - 256),
        ("minimum", 0.30000000000000004, 0.300000000000001),
        ("maximum", 0.30000000000000004, 0.3),
        ("maximum", 5e-324, 0),
        ("minimum", 7, 7),
        ("maximum", -0.5, -0.5),
    ],
)
def test_a_bound_comes_inside(keyword: str, value: float, expected: float) -> None:
    assert bound(keyword, value) == expected


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("minimum", 2**64 - 2), ("minimum", INT64), ("maximum", -INT64), ("exclusiveMinimum", LARGEST),
     ("minimum", 1e300), ("exclusiveMaximum", -(10**400))],
)  # fmt: skip
def test_a_bound_that_int64_has_no_number_beyond_is_refused(keyword: str, value: float) -> None:
    with pytest.raises(UnsupportedError, match=f"{keyword} .* int64"):
        JsonSchema({"type": "integer", keyword: value}).text()


def test_the_limits_of_int64_mean_any_integer() -> None:
    schema = {"type": "integer", "minimum": -INT64, "maximum": INT64 - 1}
    values: list[Any] = [0, -1, 2**53 + 1, LARGEST, -LARGEST]
    assert allowed_values(schema, [*values, 0.5, INT64, -INT64 - 1, 10**19]) == values


def test_bounds_of_draft_4_are_read_as_they_are_meant() -> None:
    schema: dict[str, Any] = {"type": "integer", "minimum": 2**53, "exclusiveMinimum": True}
    schema["maximum"] = 2**53 + 4
    assert allowed_values(schema, [2**53, 2**53 + 1, 2**53 + 4]) == [2**53 + 4]
    assert allowed_values({"type": "integer", "exclusiveMaximum": False, "maximum": 3}, [3]) == [3]


def test_lengths_that_no_answer_has() -> None:
    assert length("maxItems", MAX_LENGTH + 1) is None
    assert length("maxLength", 1e300) is None
    assert length("minItems", 3.0) == 3
    for value in (2**31, 2**64, 1e300):
        with pytest.raises(UnsupportedError, match="minLength"):
            JsonSchema({"type": "string", "minLength": value}).text()
    schema = {"type": "array", "maxItems": 2**64, "items": {"maxLength": 2.0, "type": "string"}}
    assert allowed_values(schema, [["ab"], ["abc"]]) == [["ab"]]


def test_numbers_that_are_annotations_reach_nobody() -> None:
    schema = {"type": "integer", "default": -INT64, "examples": [1e300], "x-minimum": 10**400}
    assert str(10**400) not in JsonSchema(json.loads(json.dumps(schema))).text()
