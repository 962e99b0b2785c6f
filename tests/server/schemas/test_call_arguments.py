"""Arguments come back as some server wrote them: as text, as an object, in part, or not at all."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from sterna.server.schemas.call_arguments import Arguments
from sterna.server.schemas.chat_messages import EarlierFunction

ADAPTER: TypeAdapter[dict[str, Any]] = TypeAdapter(Arguments)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ('{"a": 1}', {"a": 1}),
        ({"a": 1}, {"a": 1}),
        ("", {}),
        (None, {}),
        ("{", {}),
        ('{"a', {}),
        ('{"city": "Os', {"city": "Os"}),
        ('{"a": [1, {"b": tr', {"a": [1, {}]}),
        ('{"a": "\\u00e9", "b": "x\\u00', {"a": "é", "b": "x"}),
    ],
)
def test_what_there_is_of_them_is_read(written: object, read: object) -> None:
    assert ADAPTER.validate_python(written) == read


def test_they_may_be_left_out() -> None:
    assert EarlierFunction.model_validate({"name": "f"}).arguments == {}


@pytest.mark.parametrize(
    "written",
    ["x", "[]", "[", '{"a": 1}}', "{'a': 1}", '{"a": NaN}', '{"a": NaN', "[" * 100_000, 5, [],
     "1" * 5000, '{"a":' * 5000],
)  # fmt: skip
def test_what_is_no_beginning_of_an_object_is_refused(written: object) -> None:
    with pytest.raises(ValidationError, match="a JSON object encoded as a string, or"):
        ADAPTER.validate_python(written)


def test_half_a_character_is_refused() -> None:
    with pytest.raises(ValidationError, match="lone surrogates"):
        ADAPTER.validate_python('{"a": "\\ud800"}')
