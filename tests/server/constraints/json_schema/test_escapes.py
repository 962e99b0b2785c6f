"""Control characters of a schema come out, escaped, and open no second way to write a name."""

import json
from typing import Any

import pytest

from tests.server.constraints.allowing import allowed

TEXTS = ["x\u0001y", "\u001b[31m", "x\u007fy", "\u0000", "a\u001fb\n"]


@pytest.mark.parametrize("text", TEXTS)
def test_constants_keep_them(text: str) -> None:
    written = json.dumps(text).replace("\u007f", r"\u007f")
    without = json.dumps("".join(c for c in text if c.isprintable()))
    for schema in ({"const": text}, {"enum": [text, "other"]}):
        assert allowed(schema, [written, without, f'"{text}"']) == [written]
    values = [f'{{"k":[{each}]}}' for each in (written, without)]
    assert allowed({"const": {"k": [text]}}, values) == values[:1]


@pytest.mark.parametrize(
    "pattern", ["^x\u0001y$", r"^x\u0001y$", r"^x\x01y$", r"^x\x{1}y$", r"^x\u{01}y$"]
)
def test_patterns_keep_them(pattern: str) -> None:
    schema = {"type": "string", "pattern": pattern}
    assert allowed(schema, [r'"x\u0001y"', '"xy"']) == [r'"x\u0001y"']


def test_a_name_by_a_pattern_may_have_one() -> None:
    schema = {
        "type": "object",
        "patternProperties": {r"^x\x01$": {}},
        "additionalProperties": False,
    }
    assert allowed(schema, [r'{"x\u0001": 1}', '{"x": 1}']) == [r'{"x\u0001": 1}']


@pytest.mark.parametrize(("more", "others"), [(True, ['{"b": 1}']), ({"type": "integer"}, [])])
def test_a_key_cannot_come_again_in_disguise_beside_them(more: Any, others: list[str]) -> None:
    properties = {"a": {"const": "\u0001"}, "map": {"additionalProperties": {"type": "integer"}}}
    schema = {"type": "object", "properties": properties, "additionalProperties": more}
    texts = [r'{"a": "\u0001"}', '{"map": {"b": 1}}', r'{"\u0061": 1}', '{"a": 1}', '{"b": 1}']
    assert allowed(schema, texts) == [*texts[:2], *others]


def test_without_them_no_text_has_any() -> None:
    assert allowed({"type": "string"}, [r'"\u0001"', r'"\n"']) == [r'"\n"']
