"""Calls are found in an answer however it is cut into pieces, and no mark is ever sent as text."""

import json
from dataclasses import replace
from random import Random

import pytest

from sterna.server.constraints.grammars import JsonSchema
from sterna.server.tools.parser import ArgumentsPiece, CallBegun, TextPiece, ToolParser, fold, parse
from sterna.server.tools.use import Tool, ToolUse

CALL = '<tool_call>\n{"name": "f", "arguments": {"a": "}\\"{"}}\n</tool_call>'
OTHER = CALL.replace('"f"', '"g"')
ANSWER = f"One moment.\n{CALL}\n{OTHER}"


USE = ToolUse(allowed=[Tool("f", None, {}, "tools[0]")])
BESIDE_FORM = replace(USE, form=JsonSchema())


def read(answer: str, size: int, use: ToolUse = USE) -> list[object]:
    parser = ToolParser(use)
    pieces: list[object] = []
    for at in range(0, len(answer), size):
        pieces += parser.push(answer[at : at + size])
    return pieces + list(parser.finish())


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_text_and_calls_are_told_apart(size: int) -> None:
    text, calls = fold(read(ANSWER, size))  # type: ignore[arg-type]
    assert text == "One moment."
    assert [(call.name, call.arguments) for call in calls] == [
        ("f", '{"a": "}\\"{"}'),
        ("g", '{"a": "}\\"{"}'),
    ]
    assert calls[0].id != calls[1].id


def test_arguments_come_as_they_are_written_and_indices_rise() -> None:
    pieces = read(ANSWER, 5)
    begun = [piece for piece in pieces if isinstance(piece, CallBegun)]
    assert [(piece.index, piece.name) for piece in begun] == [(0, "f"), (1, "g")]
    first = [p.text for p in pieces if isinstance(p, ArgumentsPiece) and p.index == 0]
    assert len(first) > 1
    assert json.loads("".join(first)) == {"a": '}"{'}


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\n\nHi",
        "a < b",
        "<tool",
        "<tool_call",
        "<<tool_ca>",
        "x </tool_call> y \n",
        "é\n<",
    ],
)
def test_text_without_a_call_is_not_disturbed(text: str, size: int) -> None:
    assert fold(read(text, size)) == (text, [])  # type: ignore[arg-type]


def test_text_is_given_as_soon_as_it_is_certain() -> None:
    parser = ToolParser(USE)
    assert parser.push("Hi the") == [TextPiece("Hi the")]
    assert parser.push("re \n") == [TextPiece("re")]
    assert parser.push("<tool_") == []
    assert parser.push("box>") == [TextPiece(" \n<tool_box>")]


def test_random_texts_add_up() -> None:
    random = Random(3)
    for _ in range(500):
        text = "".join(random.choices(["<tool_call", "<", " ", "\n", "a", "tool_call"], k=9))
        assert fold(read(text, random.randrange(1, 12))) == (text, [])  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize("text", ["", "<", "<tool_call", "<tool_box>", " ", json.dumps([CALL])])
def test_beside_a_form_only_the_first_characters_may_be_a_mark(text: str, size: int) -> None:
    assert fold(read(text, size, BESIDE_FORM)) == (text, [])  # type: ignore[arg-type]
    text, calls = fold(read(f"{CALL}\n{OTHER}", size, BESIDE_FORM))  # type: ignore[arg-type]
    assert (text, [call.name for call in calls]) == ("", ["f", "g"])


def test_text_of_a_form_is_given_as_soon_as_it_is_no_mark() -> None:
    parser = ToolParser(BESIDE_FORM)
    assert parser.push("<tool_") == []
    assert parser.push("b <") == [TextPiece("<tool_b <")]
    assert parser.push("tool_call> \n") == [TextPiece("tool_call> \n")]


def test_a_call_that_is_cut_is_not_complete() -> None:
    _, calls = parse(ANSWER[: ANSWER.rindex("}\\")], USE)
    assert [call.is_complete for call in calls] == [True, False]
    assert parse('<tool_call>\n{"name": "f', USE) == ("", [])


def test_without_tools_everything_is_text() -> None:
    assert parse(ANSWER, ToolUse()) == (ANSWER, [])
