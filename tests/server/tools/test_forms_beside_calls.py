"""Beside a form, an answer that chance writes is valid calls or text of that form, and it shows."""

import json
import re
from collections.abc import Callable

import jsonschema
import pytest

from sterna.server.constraints.grammars import Form, JsonSchema, OneOf, Regex
from sterna.server.constraints.matchers import CompiledGrammar
from sterna.server.tools.grammar import ToolCalls
from sterna.server.tools.parser import parse
from sterna.server.tools.use import Tool, ToolUse
from tests.server.walks import END, VOCABULARY, allowed, read, walk

PARAMETERS = {
    "type": "object",
    "properties": {"unit": {"enum": ["C", 'F"', "K\\"]}, "days": {"type": "boolean"}},
    "required": ["unit"],
    "additionalProperties": False,
}
TOOLS = [Tool("get_weather", None, PARAMETERS, "tools[0]")]
CALL = '<tool_call>\n{"name": "get_weather", "arguments": {"unit": "C"}}\n</tool_call>'

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
    "choice": (OneOf([*CHOICES, "<tool_call>?"]), CHOICES.index, CHOICES),
}


def use_beside(form: Form) -> ToolUse:
    return ToolUse(TOOLS, TOOLS, form=form)


def compiled(form: Form) -> CompiledGrammar:
    return VOCABULARY.compile(ToolCalls(use_beside(form)).text())


@pytest.mark.parametrize("name", FORMS)
def test_an_answer_that_chance_writes_is_calls_or_of_the_form(name: str) -> None:
    form, validate, _ = FORMS[name]
    grammar = compiled(form)
    num_calls = num_texts = 0
    for seed in range(80):
        written, has_ended = walk(grammar.start(), "<tool_call>" if seed % 4 == 0 else "", seed)
        text, calls = parse(written, use_beside(form))
        assert not (text and calls)
        if calls:
            for call in calls:
                if call.is_complete:
                    jsonschema.validate(json.loads(call.arguments), PARAMETERS)
                    num_calls += 1
        elif has_ended:
            assert validate(text) is not False, text
            num_texts += 1
    assert num_calls and num_texts


@pytest.mark.parametrize("name", FORMS)
def test_a_text_of_the_form_is_none_of_calls(name: str) -> None:
    form, _, texts = FORMS[name]
    grammar = compiled(form)
    for text in texts:
        matcher = grammar.start()
        read(matcher, text)
        assert END in allowed(matcher)
        assert parse(text, use_beside(form)) == (text, [])
    read(grammar.start(), f"{CALL}\n{CALL}")
    for wrong in ("Hi", "<tool_call>?", f" {CALL}", f"{CALL}{texts[0]}x", f"{texts[-1]}{CALL}"):
        with pytest.raises(AssertionError, match="is not allowed"):
            read(grammar.start(), wrong)
