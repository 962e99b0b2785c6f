"""A template without tools still tells the model all about them."""

import json
from typing import Any

from sterna.server.tools.parser import parse
from sterna.server.tools.prompt import as_text
from sterna.server.tools.use import Tool, ToolUse

TOOL = Tool("add", "Adds é.", {"type": "object"}, "tools[0]")
USER = {"role": "user", "content": "Hi"}
CALL = {"id": "1", "type": "function", "function": {"name": "add", "arguments": {"a": "é"}}}


def test_plain_turns_stay_as_they_are() -> None:
    turns = [{"role": "system", "content": "S"}, USER, {"role": "assistant", "content": "A"}]
    assert as_text(turns, ()) == turns


def test_tools_are_told_in_the_turn_of_the_system() -> None:
    (system, user) = as_text([USER], [TOOL])
    assert (system["role"], user) == ("system", USER)
    told = json.dumps({"name": "add", "description": "Adds é.", "parameters": {"type": "object"}})
    assert told.replace("\\u00e9", "é") in system["content"].splitlines()
    assert "<tool_call>\n" in system["content"]
    (system, _) = as_text([{"role": "system", "content": "Be kind."}, USER], [TOOL])
    assert system["content"].startswith("Be kind.\n\nYou can call")


def test_a_template_without_system_has_tools_told_by_the_user() -> None:
    (user,) = as_text([USER], [TOOL], takes_system=False)
    assert user["role"] == "user"
    assert user["content"].startswith("You can call")
    assert user["content"].endswith("\n\nHi")


def test_an_assistant_who_speaks_first_speaks_after_the_tools() -> None:
    turns = as_text([{"role": "assistant", "content": "A"}, USER], [TOOL], takes_system=False)
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]


def test_earlier_calls_are_written_as_the_model_writes_them() -> None:
    turn: dict[str, Any] = {"role": "assistant", "content": "Well.", "tool_calls": [CALL, CALL]}
    (written,) = as_text([turn], ())
    assert written["role"] == "assistant"
    text, calls = parse(written["content"], ToolUse(allowed=[TOOL]))
    assert text == "Well."
    assert [(c.name, json.loads(c.arguments)) for c in calls] == [("add", {"a": "é"})] * 2
    (bare,) = as_text([turn | {"content": ""}], ())
    assert bare["content"].startswith("<tool_call>\n")


def test_results_are_one_turn_of_the_user() -> None:
    results = [{"role": "tool", "tool_call_id": "1", "name": "add", "content": c} for c in "xy"]
    (turn,) = as_text(results, ())
    assert turn == {
        "role": "user",
        "content": "<tool_response>\nx\n</tool_response>\n<tool_response>\ny\n</tool_response>",
    }


def test_what_the_user_says_after_a_result_is_in_the_same_turn() -> None:
    result = {"role": "tool", "tool_call_id": "1", "content": "x"}
    turns = as_text([USER, USER, result, USER | {"name": "Ann"}, USER], ())
    assert turns == [
        USER,
        USER,
        {
            "role": "user",
            "name": "Ann",
            "content": "<tool_response>\nx\n</tool_response>\n\nHi",
        },
        USER,
    ]
