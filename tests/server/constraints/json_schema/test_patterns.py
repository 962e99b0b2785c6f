"""A class has the characters that it says, in the escapes of JSON too."""

import json
import re

import pytest

from sterna.server.constraints.grammars import JsonSchema
from sterna.server.constraints.json_schema.unsupported import UnsupportedError
from tests.server.constraints.allowing import allowed

CHARACTERS = ['"', "\\", "\n", "\t", "a", " ", "/"]


@pytest.mark.parametrize(
    "pattern",
    ['[^"]', r"[^\\]", r'[^"\\]', r'[^"\n]', r"[\x00-\x1f]", r"[\u0000-\x20]", r"[^\x00-\x1f]",
     r"[^\s]", r"\W", ".", r"\S", r"\[?[^a]"],
)  # fmt: skip
def test_a_class_is_kept_to(pattern: str) -> None:
    expected = [
        json.dumps(it, ensure_ascii=False) for it in CHARACTERS if re.fullmatch(pattern, it)
    ]
    texts = [json.dumps(it, ensure_ascii=False) for it in CHARACTERS]
    assert allowed({"type": "string", "pattern": f"^{pattern}$"}, texts) == expected


@pytest.mark.parametrize("pattern", ["(?=a)b", "(?!a)b", "(?<=a)b", "(?<!a)b", r"(a)\1"])
def test_what_looks_around_is_refused_with_a_remedy(pattern: str) -> None:
    with pytest.raises(UnsupportedError, match="write it without"):
        JsonSchema({"type": "string", "pattern": pattern}).text()


def test_escaped_brackets_are_no_groups() -> None:
    schema = {"type": "string", "pattern": r"^\(\?=\\1$"}
    assert allowed(schema, [json.dumps(r"(?=\1")]) == [json.dumps(r"(?=\1")]
