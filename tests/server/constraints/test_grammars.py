"""What is asked of an answer is told to llguidance without a loophole, or refused."""

import json
import re
from typing import Any

import pytest

from sterna.server.constraints.grammars import (
    MAX_PATTERN_BYTES,
    Grammar,
    JsonSchema,
    OneOf,
    Regex,
    json_rule,
)
from sterna.server.constraints.matchers import GrammarVocabulary
from tests.server.constraints import allowing
from tests.server.constraints.allowing import allows

MARKED = r"""
start: (head call)* TEXT
head[lazy]: /(.|\n)*<tool>/
call: %json {"type": "object"} "</tool>"
TEXT: /(.|\n)*/ & ~/(.|\n)*<tool>(.|\n)*/
"""


@pytest.fixture(scope="module")
def vocabulary() -> GrammarVocabulary:
    return allowing.vocabulary()


@pytest.mark.parametrize(
    ("text", "is_allowed"),
    [
        ('{"a": 1, "b": [true, {}]}', True),
        ('{"a":1,"b":2}', True),
        ("{ }", True),
        ("{  }", False),  # a small model would go on for ever
        ('{"a":\n1}', False),
        (" {}", False),
        ("{} ", False),
        ("[]", False),
        ('{"a": "\\ud800"}', False),
        ('{"a": ', False),
    ],
)
def test_any_object_is_json_without_room_for_endless_spaces(
    vocabulary: GrammarVocabulary, text: str, is_allowed: bool
) -> None:
    assert allows(vocabulary, JsonSchema().text(), text) is is_allowed


def test_a_key_cannot_come_again_in_disguise(vocabulary: GrammarVocabulary) -> None:
    schema = {"properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "integer"}}
    grammar = JsonSchema(schema | {"type": "object"}).text()
    assert allows(vocabulary, grammar, '{"a": "x", "b": 1}')
    assert not allows(vocabulary, grammar, '{"\\u0061": 1}')
    assert not allows(vocabulary, grammar, '{"b": 1, "a": 1}')


@pytest.mark.parametrize(
    "schema",
    [
        {"not": {}},
        {"type": "array", "uniqueItems": True},
        {"type": "object", "propertyNames": {"pattern": "a"}},
        {"if": {}, "then": {"type": "string"}},
        {"oneOf": [{"type": "object"}, {"type": "object"}]},
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "#/nowhere"},
        {"$ref": "#"},
        {"enum": []},
        {"type": "strnig"},
        {"type": "string", "pattern": "(?=a)b"},
        {"type": "object", "properties": {"a": {"x-guidance": {}}}},
        {"type": "object", "additionalProperties": {"type": "object", "minProperties": 2}},
        {"x-guidance": {"lenient": True}, "not": {}},
        {"const": "\ud800"},
        {"const": float("nan")},
        {"type": "string", "pattern": "a" * (MAX_PATTERN_BYTES + 1)},
    ],
    ids=lambda schema: json.dumps(schema)[:40],
)
def test_a_schema_that_cannot_be_kept_to_is_refused(
    vocabulary: GrammarVocabulary, schema: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        vocabulary.compile(JsonSchema(schema).text())


@pytest.mark.parametrize(
    ("schema", "is_kept_to"),
    [
        ({"multipleOf": 0.01}, True),
        ({"multipleOf": 1_000_000}, True),
        ({"properties": {"a": {"multipleOf": 7}, "b": {"multipleOf": 2.5}}}, True),
        ({"multipleOf": 9_999_991}, False),
        ({"multipleOf": 0.9999991}, False),
        ({"multipleOf": 10**40 + 1}, False),
        ({"allOf": [{"multipleOf": prime} for prime in (7, 11, 13, 17, 19, 23)]}, False),
        ({"properties": {str(i): {"multipleOf": 9973} for i in range(20)}}, False),
    ],
)
def test_multiples_are_counted_up_to_a_bound(
    vocabulary: GrammarVocabulary, schema: dict[str, Any], is_kept_to: bool
) -> None:
    """More would take a thread of the compiler for minutes, which nothing ends."""
    rule = f"start: %json {json.dumps(schema)}"
    for text in (JsonSchema(schema).text, Grammar(rule).text):
        if is_kept_to:
            vocabulary.compile(text())
        else:
            with pytest.raises(ValueError, match="multipleOf"):
                text()


def test_a_schema_in_a_grammar_cannot_hide() -> None:
    with pytest.raises(ValueError, match="multipleOf"):
        Grammar('start: %json\n{"\\u006dultipleOf": 9999991}').text()
    with pytest.raises(ValueError, match="must be followed by a JSON schema"):
        Grammar('start: %json // \n{"multipleOf": 9999991}').text()


def test_a_large_object_is_within_the_limits_of_a_step(vocabulary: GrammarVocabulary) -> None:
    names = [f"name {i}" for i in range(900)]
    schema = {"type": "object", "properties": {name: {"type": "integer"} for name in names}}
    assert allows(vocabulary, JsonSchema(schema).text(), '{"name 7": 1, "name 899": 2}')


AMBIGUOUS = "\n".join(
    ["start: a0", *(f"a{i}: a{i + 1}? a{i + 1}? a{i + 1}?" for i in range(200)), 'a200: "x"']
)


def test_a_grammar_that_can_be_read_in_too_many_ways_is_refused(
    vocabulary: GrammarVocabulary,
) -> None:
    """Its steps would take a second each, in which the masks of others wait."""
    with pytest.raises(ValueError, match="items"):
        vocabulary.compile(Grammar(AMBIGUOUS).text())


def test_choices_are_literal(vocabulary: GrammarVocabulary) -> None:
    choices = ["yes", "yes and no", 'a "quote"', "back\\slash", "x{2}", "line\nbreak", "yes"]
    grammar = OneOf(choices).text()
    assert all(allows(vocabulary, grammar, choice) for choice in choices)
    assert not allows(vocabulary, grammar, "yes ")
    assert not allows(vocabulary, grammar, "xx")


@pytest.mark.parametrize("choices", [[], [""], ["a", ""]])
def test_an_empty_choice_is_refused(choices: list[str]) -> None:
    with pytest.raises(ValueError, match="empty"):
        OneOf(choices).text()


def test_a_pattern_holds_for_the_whole_text(vocabulary: GrammarVocabulary) -> None:
    grammar = Regex(r"[a-c]{2}/\d+").text()
    assert allows(vocabulary, grammar, "ab/12")
    assert not allows(vocabulary, grammar, "xab/12")
    assert not allows(vocabulary, grammar, "ab/")


@pytest.mark.parametrize(
    "pattern", ["", "/", "a/b", "//", r"a\/", "\n", "/#\n", "(?i)x", "[/]", "a|/"]
)
def test_slashes_and_lines_in_a_pattern_are_its_own(
    vocabulary: GrammarVocabulary, pattern: str
) -> None:
    texts = ["", "/", "a/b", "//", "a/", "\n", "/#\n", "X", "a", "b"]
    expected = [text for text in texts if re.fullmatch(pattern, text)]
    for unlike in (None, "<tool>"):
        grammar = Regex(pattern).text(unlike)
        assert [text for text in texts if allows(vocabulary, grammar, text)] == expected


def test_what_begins_with_a_mark_can_be_left_out(vocabulary: GrammarVocabulary) -> None:
    texts = ["<", "<tool", "<tool>", "<tool>x", "<tool>\n", "x<tool>", "\n<tool>"]
    expected = ["<", "<tool", "x<tool>", "\n<tool>"]
    for form in (Regex(r"(.|\n)*"), OneOf(texts)):
        assert [text for text in texts if allows(vocabulary, form.text(), text)] == texts
        grammar = form.text(unlike="<tool>")
        assert [text for text in texts if allows(vocabulary, grammar, text)] == expected


def test_a_grammar_is_lark_or_gbnf(vocabulary: GrammarVocabulary) -> None:
    for source in ('start: "a" b\nb: "b"+', 'root ::= "a" b\nb ::= "b"+'):
        assert allows(vocabulary, Grammar(source).text(), "abb")
        assert not allows(vocabulary, Grammar(source).text(), "a")


@pytest.mark.parametrize(
    "source",
    ["", "a", 'start: "a" | missing', "start: a\na: a", "root ::= " + "(" * 4000,
     "x" * (MAX_PATTERN_BYTES + 1), '{"grammars": [{"json_schema": {}}]}'],
    ids=["empty", "word", "missing", "endless", "deep", "long", "schema"],
)  # fmt: skip
def test_a_bad_grammar_is_refused(vocabulary: GrammarVocabulary, source: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        vocabulary.compile(Grammar(source).text())


@pytest.mark.parametrize(
    ("text", "is_allowed"),
    [
        ("no call", True),
        ('first <tool>{"a": 1}</tool> last', True),
        ("<tool>{}</tool><tool>{}</tool>", True),
        ("<tool>no JSON", False),
        ('<tool>{"a": ', False),
    ],
)
def test_after_a_marker_there_is_no_way_but_json(
    vocabulary: GrammarVocabulary, text: str, is_allowed: bool
) -> None:
    assert allows(vocabulary, Grammar(MARKED).text(), text) is is_allowed


def test_a_rule_may_be_json_of_a_schema(vocabulary: GrammarVocabulary) -> None:
    rule = json_rule(JsonSchema({"type": "object", "properties": {"a": {"type": "integer"}}}))
    grammar = Grammar(f'start: "call " {rule}').text()
    assert allows(vocabulary, grammar, 'call {"a": 1}')
    assert not allows(vocabulary, grammar, 'call {"a":  1}')
    assert not allows(vocabulary, grammar, 'call {"a": "b"}')
    with pytest.raises(ValueError, match="x-guidance"):
        json_rule(JsonSchema({"x-guidance": {}}))
