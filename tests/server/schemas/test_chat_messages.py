"""Which turn may follow which, and what a chat template sees of them."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from sterna.server.schemas.chat_messages import Message, Messages, for_template

ADAPTER: TypeAdapter[list[Message]] = TypeAdapter(Messages)
USER = {"role": "user", "content": "Hi"}


def call(call_id: str, arguments: str = '{"a": 1}') -> dict[str, Any]:
    function = {"name": f"tool_{call_id}", "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function}


def calls(*ids: str, **fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": [*map(call, ids)]} | fields


def result(call_id: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": f"result {call_id}"}


def test_calls_and_results_reach_the_template() -> None:
    turns = [USER, calls("1", "2", content="Well."), result("2"), result("1"), USER]
    rendered = for_template(ADAPTER.validate_python(turns))
    assert rendered[1] == {
        "role": "assistant",
        "content": "Well.",
        "tool_calls": [
            {"id": i, "type": "function", "function": {"name": f"tool_{i}", "arguments": {"a": 1}}}
            for i in "12"
        ],
    }
    assert rendered[2] == {
        "role": "tool", "name": "tool_2", "tool_call_id": "2", "content": "result 2"
    }  # fmt: skip


def test_ids_may_come_again_in_later_turns() -> None:
    ADAPTER.validate_python([calls("1"), result("1"), calls("1"), result("1")])


def test_what_a_client_keeps_of_an_answer_may_come_back() -> None:
    kept = calls("1", refusal=None, annotations=[], audio=None, function_call=None)
    kept["tool_calls"][0]["index"] = 0
    ADAPTER.validate_python([kept, result("1")])
    ADAPTER.validate_python([{"role": "assistant", "content": "Hi", "tool_calls": []}])


@pytest.mark.parametrize(
    ("turns", "named"),
    [
        ([result("1")], "messages[0] answers the call '1'"),
        ([calls("1"), result("2")], "messages[1] answers the call '2'"),
        ([calls("1"), result("1"), result("1")], "messages[2] answers the call '1'"),
        ([calls("1", "2"), result("1"), USER], "messages[2]: expected a message of role tool"),
        ([calls("1")], "no message of role tool answers the call '1'"),
        ([calls("1", "1"), result("1"), result("1")], "messages[0] has two calls with the same id"),
        ([USER | {"tool_calls": [call("1")]}], "when role is assistant"),
        ([USER | {"tool_call_id": "1"}], "not allowed otherwise"),
        ([{"role": "tool", "content": "x"}], "required when role is tool"),
        ([{"role": "assistant", "tool_calls": []}], "required unless tool_calls is given"),
        ([calls(tool_calls=[call("1", "[]")])], "a JSON object encoded as a string"),
        ([calls(tool_calls=[call("1", "{")])], "a JSON object encoded as a string"),
        ([calls(tool_calls=[call("1", '{"a": NaN}')])], "a JSON object encoded as a string"),
        ([calls(tool_calls=[call("1", "[" * 100_000)])], "a JSON object encoded as a string"),
    ],
)
def test_what_is_out_of_order_is_named(turns: list[Any], named: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ADAPTER.validate_python(turns)
    assert named in caught.value.errors()[0]["msg"]
