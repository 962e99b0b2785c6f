"""Whatever the model would like to write, calls are valid, and text before them is free."""

import json

import jsonschema
import pytest

from sterna.server.constraints.matchers import CompiledGrammar
from sterna.server.text.detokenizer import REPLACEMENT
from sterna.server.tools.grammar import ToolCalls
from sterna.server.tools.parser import parse
from sterna.server.tools.use import Tool, ToolUse
from tests.server.walks import ENCODER, END, VOCABULARY, allowed, read, walk

WEATHER = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "maxLength": 8},
        "days": {"type": "integer", "minimum": 1, "maximum": 14},
        "unit": {"enum": ["C", 'F"', "K\\"]},
        "tags": {"type": "array", "items": {"type": "boolean"}, "maxItems": 3},
    },
    "required": ["city", "unit"],
    "additionalProperties": False,
}
STOP = {"type": "object", "properties": {}, "additionalProperties": False}
TOOLS = [
    Tool("get_weather", None, WEATHER, "tools[0]"),
    Tool("stop", None, STOP, "tools[1]"),
]
SCHEMAS = {tool.name: tool.parameters for tool in TOOLS}
CALL = '<tool_call>\n{"name": "stop", "arguments": {}}\n</tool_call>'


def compiled(*, must_call: bool = False, is_parallel: bool = True) -> CompiledGrammar:
    use = ToolUse(TOOLS, TOOLS, must_call, is_parallel)
    return VOCABULARY.compile(ToolCalls(use).text())


def check(text: str) -> list[str]:
    """Names of the calls; all that are complete must fit their schemas."""
    _, calls = parse(text, ToolUse(TOOLS, TOOLS))
    for call in calls:
        if call.is_complete:
            jsonschema.validate(json.loads(call.arguments), SCHEMAS[call.name])
    return [call.name for call in calls if call.is_complete]


@pytest.mark.parametrize("prefix", ["", "<tool_call>", "Let me see. <tool_call>\n"])
def test_calls_that_chance_writes_are_valid(prefix: str) -> None:
    grammar = compiled(must_call=not prefix)
    seen = set[str]()
    for seed in range(60):
        text, has_ended = walk(grammar.start(), prefix, seed)
        names = check(text)
        assert names or not has_ended
        seen |= set(names)
    assert seen == set(SCHEMAS)


@pytest.mark.parametrize("must_call", [False, True])
def test_without_parallel_calls_there_is_one(must_call: bool) -> None:
    grammar = compiled(must_call=must_call, is_parallel=False)
    prefix = "" if must_call else "<tool_call>"
    for seed in range(30):
        text, has_ended = walk(grammar.start(), prefix, seed)
        assert has_ended
        assert len(check(text)) == 1
    matcher = grammar.start()
    read(matcher, CALL)
    assert allowed(matcher) == [END]


def test_several_calls_may_follow_each_other_and_nothing_else_may() -> None:
    matcher = compiled().start()
    read(matcher, f"Two of them:\n{CALL}\n{CALL}{CALL}")
    for wrong in (" So", " ", "\n\n", "\nI"):
        with pytest.raises(AssertionError, match="is not allowed"):
            read(compiled().start(), CALL + wrong)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hi!",
        "a < b and <tool_box>",
        "<tool_call",
        "</tool_call>",
        '{"name": "stop"}',
        "é日👍\n\n\t",
    ],
)
def test_text_is_free_and_may_end_anywhere(text: str) -> None:
    matcher = compiled().start()
    read(matcher, text)
    assert END in allowed(matcher)


def test_before_a_call_every_token_of_text_is_allowed() -> None:
    """All but special tokens and ends of characters that have not begun: text is not disturbed."""
    for token_id in set(range(ENCODER.get_vocab_size())) - set(allowed(compiled().start())):
        assert ENCODER.decode([token_id]) in ("", REPLACEMENT)


@pytest.mark.parametrize("text", ["x", "\n\n", '\n{"name": "other"', '{"name": "stop"}', CALL])
def test_after_the_mark_there_is_no_way_but_a_call(text: str) -> None:
    matcher = compiled().start()
    read(matcher, "Well <tool_call>")
    assert END not in allowed(matcher)
    with pytest.raises(AssertionError, match="is not allowed"):
        read(matcher, text)


def test_a_required_call_begins_at_once() -> None:
    with pytest.raises(AssertionError, match="is not allowed"):
        read(compiled(must_call=True).start(), "Hi")


def test_a_tool_that_may_not_be_called_cannot_be() -> None:
    use = ToolUse(TOOLS, TOOLS[:1], must_call=True)
    with pytest.raises(AssertionError, match="is not allowed"):
        read(VOCABULARY.compile(ToolCalls(use).text()).start(), CALL)


def test_many_tools_compile() -> None:
    tools = [Tool(f"tool_{number}", None, WEATHER, "") for number in range(128)]
    grammar = VOCABULARY.compile(ToolCalls(ToolUse(tools, tools)).text())
    text, _ = walk(grammar.start(), '<tool_call>\n{"name": "tool_127", "arguments": ', 1)
    _, calls = parse(text, ToolUse(TOOLS, TOOLS))
    jsonschema.validate(json.loads(calls[0].arguments), WEATHER)
