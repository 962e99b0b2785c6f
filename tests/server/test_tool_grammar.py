"""Whatever the model would write, calls are valid; text before them is free, or has a form."""

import json
import re
from collections.abc import Callable, Sequence
from random import Random

import jsonschema
import numpy as np
import pytest
from tokenizers import Tokenizer

from engine import Matcher
from server.checkpoint import BUILTIN_FOLDER
from server.detokenizer import REPLACEMENT
from server.grammars import Choice, Form, JsonSchema, Regex
from server.matchers import CompiledGrammar, Vocabulary
from server.tool_grammar import ToolCalls
from server.tool_parser import parse
from server.tools import Tool, ToolUse

PATH = BUILTIN_FOLDER / "tokenizer.json"
ENCODER = Tokenizer.from_file(str(PATH))
END = ENCODER.encode("<|end|>", add_special_tokens=False).ids[0]
VOCABULARY = Vocabulary.load(PATH, 4096, [END])

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


# Of each form what holds, and texts of it that could be taken for something else.
SAYING = {
    "type": "object",
    "properties": {"say": {"type": "string", "maxLength": 30}},
    "required": ["say"],
    "additionalProperties": False,
}
CHOICES = ["<", "<tool_call", "<tool_box>", "yes", "a <tool_call>"]
FORMS: dict[str, tuple[Form, Callable[[str], object], list[str]]] = {
    "schema": (
        JsonSchema(SAYING),
        lambda text: jsonschema.validate(json.loads(text), SAYING),
        ['{"say": "<tool_call>"}', '{"say": "a\\n<tool_call>\\n{"}'],
    ),
    "object": (JsonSchema(), json.loads, [json.dumps({"<tool_call>": CALL.replace("\n", "")})]),
    "regex": (
        Regex(r"[<a-z_/{]{0,12}(>[^\p{Cc}]{0,9})?"),
        re.compile(r"[<a-z_/{]{0,12}(>.{0,9})?").fullmatch,
        ["", "<", "<tool_call", "a>", "<b></b>", "<tool>", "</>{", "a><tool"],
    ),
    "choice": (Choice([*CHOICES, "<tool_call>?"]), CHOICES.index, CHOICES),
}


def compiled(
    *, must_call: bool = False, is_parallel: bool = True, form: Form | None = None
) -> CompiledGrammar:
    use = ToolUse(TOOLS, TOOLS, must_call, is_parallel, form=form)
    return VOCABULARY.compile(ToolCalls(use).text())


def allowed(matcher: Matcher) -> list[int]:
    mask = np.empty(4096 // 32, "<u4")
    matcher.fill_mask(mask.data)
    return list(np.flatnonzero(np.unpackbits(mask.view(np.uint8), bitorder="little")))


def read(matcher: Matcher, text: str) -> None:
    """Let the model write a text. Raises GenerationError if it may not."""
    for token_id in ids_of(text):
        if token_id not in allowed(matcher):
            raise AssertionError(f"{ENCODER.id_to_token(token_id)!r} is not allowed in {text!r}")
        matcher.accept(token_id)


def ids_of(text: str) -> Sequence[int]:
    ids: list[int] = ENCODER.encode(text, add_special_tokens=False).ids
    return ids


def walk(matcher: Matcher, text: str, seed: int, max_tokens: int = 400) -> tuple[str, bool]:
    """Write a text, then what chance will have. Returns all, and whether it came to an end."""
    read(matcher, text)
    random, written = Random(seed), list(ids_of(text))
    for _ in range(max_tokens):
        token_id = int(random.choice(allowed(matcher)))
        if token_id == END:
            return ENCODER.decode(written), True
        matcher.accept(token_id)
        written.append(token_id)
    return ENCODER.decode(written), False


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


@pytest.mark.parametrize("name", FORMS)
def test_an_answer_that_chance_writes_is_calls_or_of_the_form(name: str) -> None:
    form, validate, _ = FORMS[name]
    grammar = compiled(form=form)
    num_calls = num_texts = 0
    for seed in range(80):
        written, has_ended = walk(grammar.start(), "<tool_call>" if seed % 4 == 0 else "", seed)
        text, calls = parse(written, ToolUse(TOOLS, TOOLS, form=form))
        assert not (text and calls)
        if calls:
            num_calls += len(check(written))
        elif has_ended:
            assert validate(text) is not False, text
            num_texts += 1
    assert num_calls and num_texts


@pytest.mark.parametrize("name", FORMS)
def test_a_text_of_the_form_is_none_of_calls(name: str) -> None:
    form, _, texts = FORMS[name]
    grammar = compiled(form=form)
    for text in texts:
        matcher = grammar.start()
        read(matcher, text)
        assert END in allowed(matcher)
        assert parse(text, ToolUse(TOOLS, TOOLS, form=form)) == (text, [])
    read(grammar.start(), f"{CALL}\n{CALL}")
    for wrong in ("Hi", "<tool_call>?", f" {CALL}", f"{CALL}{texts[0]}x", f"{texts[-1]}{CALL}"):
        with pytest.raises(AssertionError, match="is not allowed"):
            read(grammar.start(), wrong)


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
