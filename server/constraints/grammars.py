r"""What an answer can be held to, and how each kind is told to llguidance.

Knows nothing of tokens: ``server/constraints/compiler.py`` compiles what is written here.

A rule of a ``Grammar`` may be JSON of a schema (``json_rule``). So "write freely until a marker,
then JSON of this schema, then freely again" is::

    start: (head call)* TEXT
    head[lazy]: /(.|\n)*<tool>/
    call: %json {"type": "object"} "</tool>"
    TEXT: /(.|\n)*/ & ~/(.|\n)*<tool>(.|\n)*/

``lazy`` ends at the first marker, and TEXT has none: so after a marker there is no way but JSON.
A marker that is a special token of the model stands bare in a rule: ``head: /(.|\n)*/ <|tool|>``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from llguidance import LLMatcher
from llguidance.gbnf_to_lark import any_to_lark

from sterna.server.constraints.json_multiples import (
    check_multiples,
    check_multiples_in_lark,
    members,
)

MAX_PATTERN_BYTES: Final = 8 << 10  # compiling one takes memory with the square of its length

# Strictly the schema's meaning; at most one space at a time, or a small model may write nothing
# but spaces; and one way only to write a key, or {"a": 1, "\u0061": 2} would have "a" twice.
_JSON_OPTIONS: Final = {
    "whitespace_pattern": r"\x20",
    "json_allowed_escapes": 'nrbtf\\"',
    "lenient": False,
    "coerce_one_of": False,
}
_OPTIONS_KEY: Final = "x-guidance"  # with which a schema would set these by itself


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """A JSON value of a schema of draft 2020-12. None: any JSON object.

    None begins with a mark, so ``unlike`` changes nothing.
    """

    schema: Mapping[str, Any] | None = None

    def text(self, unlike: str | None = None) -> str:
        """The grammar for llguidance. Raises ValueError with the reason."""
        schema = {"type": "object"} if self.schema is None else dict(self.schema)
        _check_schema(schema)
        return LLMatcher.grammar_from_json_schema(json.dumps(schema), overrides=_JSON_OPTIONS)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Regex:
    """All of the text matches a pattern of Rust's syntax, without lookaround."""

    pattern: str

    def text(self, unlike: str | None = None) -> str:
        """The grammar for llguidance. Raises ValueError with the reason."""
        _check_length("the pattern", self.pattern)
        pattern = self.pattern or "()"  # two slashes with nothing between them are a comment
        (grammar,) = json.loads(LLMatcher.grammar_from_regex(pattern))["grammars"]
        return _one_lexeme(grammar["lark_grammar"].removeprefix("start: "), unlike)


@dataclass(frozen=True, slots=True)
class OneOf:
    """The text is one of several. One that another begins with may win over it."""

    choices: Sequence[str]

    def text(self, unlike: str | None = None) -> str:
        """The grammar for llguidance. Raises ValueError with the reason."""
        if not all(self.choices) or not self.choices:
            raise ValueError("there must be at least one choice, and no choice may be empty")
        return _one_lexeme(" | ".join(map(json.dumps, self.choices)), unlike)


@dataclass(frozen=True, slots=True)
class Grammar:
    """The text is derived from ``start`` of a Lark grammar, or ``root`` of a GBNF one."""

    source: str

    def text(self) -> str:
        """The grammar for llguidance. Raises ValueError with the reason."""
        _check_length("the grammar", self.source)
        check_multiples_in_lark(self.source)
        try:
            return lark(any_to_lark(self.source))
        except Exception as error:  # GbnfToLarkError has no base of its own
            raise ValueError(
                f"not a Lark grammar with a rule named start, and not GBNF: {error}"
            ) from None


# An answer may be one of these, or else begin with a mark: ``unlike`` keeps their texts from that.
# A Grammar can't be kept: a lexeme of it that begins like the mark would lose, whatever follows.
Form = JsonSchema | Regex | OneOf


class ConstraintSpec(Protocol):
    """The form of an answer: one of these, or calls of tools (``server/tools/grammar.py``)."""

    def text(self) -> str:
        """The grammar for llguidance. Raises ValueError with the reason."""
        ...


def json_rule(schema: Mapping[str, Any]) -> str:
    """Return ``%json {...}``, to stand for a value of the schema in a Lark rule.

    Raises ValueError with the reason.
    """
    _check_schema(schema)
    return "%json " + json.dumps({**schema, _OPTIONS_KEY: _JSON_OPTIONS})


def lark(source: str, **parts: str) -> str:
    """Return a Lark grammar as llguidance takes it, whatever it begins with.

    parts: grammars for llguidance that ``source`` has in it by their names, as ``@name``.
    """
    named = [json.loads(part)["grammars"][0] | {"name": name} for name, part in parts.items()]
    # Named as what it is: bare text that begins with a brace would be taken for such an object.
    return json.dumps({"grammars": [{"lark_grammar": source}, *named]})


def _one_lexeme(terminal: str, unlike: str | None) -> str:
    """Upper case makes one lexeme of it: thousands of choices are as fast as a few."""
    exception = f" & ~({json.dumps(unlike)} /(.|\\n)*/)" if unlike else ""
    return lark(f"start: TEXT\nTEXT: ({terminal}){exception}")


def _check_length(name: str, text: str) -> None:
    if (num_bytes := len(text.encode())) > MAX_PATTERN_BYTES:
        raise ValueError(
            f"{name} has {num_bytes} bytes, but at most {MAX_PATTERN_BYTES} are allowed"
        )


def _check_schema(schema: Mapping[str, Any]) -> None:
    """Refuse what llguidance takes but doesn't keep to, or compiles for ever."""
    if _OPTIONS_KEY in schema:
        raise ValueError(f"{_OPTIONS_KEY} is not supported")
    check_multiples(schema)
    num_bytes = 0
    for key, value in members(schema):
        if key == "minProperties" and isinstance(value, int | float) and value > 1:
            raise ValueError("minProperties above 1 is not supported")  # one key may come twice
        if key in ("pattern", "patternProperties"):
            num_bytes += len(json.dumps(value))
    if num_bytes > MAX_PATTERN_BYTES:
        raise ValueError(f"its patterns have more than {MAX_PATTERN_BYTES} bytes in total")
