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

from sterna.server.constraints.json_schema.enforced import OPTIONS_KEY, Enforced, enforced
from sterna.server.constraints.json_schema.escapes import (
    ALL_ESCAPES,
    PLAIN_ESCAPES,
    has_control_characters,
    without_disguise,
)
from sterna.server.constraints.json_schema.in_lark import with_schemas
from sterna.server.constraints.json_schema.members import patterns_of

MAX_PATTERN_BYTES: Final = 8 << 10  # compiling one takes memory with the square of its length

# Strictly the schema's meaning; at most one space at a time, or a small model may write nothing
# but spaces; and one way only to write a key, or {"a": 1, "\u0061": 2} would have "a" twice.
_JSON_OPTIONS: Final = {
    "whitespace_pattern": r"\x20",
    "json_allowed_escapes": PLAIN_ESCAPES,
    "lenient": False,
    "coerce_one_of": False,
}


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """A JSON value of a schema of draft 2020-12. None: any JSON object.

    None begins with a mark, so ``unlike`` changes nothing.
    """

    schema: Mapping[str, Any] | None = None
    is_exact: bool = True  # else what can't be kept to is left out
    without: frozenset[str] = frozenset()  # patterns that are left out

    def enforced(self) -> Enforced:
        """What of the schema is kept to. Raises ValueError with the reason."""
        schema = {"type": "object"} if self.schema is None else self.schema
        return enforced(schema, is_exact=self.is_exact, without=self.without)

    def text(self, unlike: str | None = None) -> str:
        """The grammar for llguidance. Raises ValueError with the reason."""
        return LLMatcher.grammar_from_json_schema(_with_options(self.enforced().schema))


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
        source = with_schemas(self.source)
        try:
            return lark(any_to_lark(source))
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


def json_rule(form: JsonSchema) -> str:
    """Return ``%json {...}``, to stand for a value of the schema in a Lark rule.

    Raises ValueError with the reason.
    """
    return "%json " + _with_options(form.enforced().schema)


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


def _with_options(schema: Mapping[str, Any]) -> str:
    """The text of an enforced schema that says how JSON is to be written."""
    _check_patterns(schema)
    options = _JSON_OPTIONS
    if has_control_characters(schema):
        schema = without_disguise(schema)
        options = options | {"json_allowed_escapes": ALL_ESCAPES}
    return json.dumps({**schema, OPTIONS_KEY: options}, separators=(",", ":"))


def _check_patterns(schema: Mapping[str, Any]) -> None:
    if sum(len(json.dumps(pattern)) for pattern in patterns_of(schema)) > MAX_PATTERN_BYTES:
        raise ValueError(f"its patterns have more than {MAX_PATTERN_BYTES} bytes in total")
