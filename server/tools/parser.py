"""Reads one answer piece by piece: its text, and its calls with their arguments.

Relies on the form that ``grammar.py`` ensures. Nothing that may become the mark of a call
is given out as text, and neither is the space before one. Where text has a form, only an answer's
beginning may be a mark: the string of a JSON value may hold one too.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import uuid4

from sterna.server.tools.use import CALL_BEGIN, CALL_END, ToolUse

HEAD = re.compile(r'\s*\{\s*"name"\s*:\s*"([^"]*)"\s*,\s*"arguments"\s*:\s*(?=\{)')


@dataclass(frozen=True, slots=True)
class TextPiece:
    """More text."""

    text: str


@dataclass(frozen=True, slots=True)
class CallBegun:
    """A new call. ``index`` counts the answer's calls from 0."""

    index: int
    id: str  # unique; each API puts its own prefix before it
    name: str


@dataclass(frozen=True, slots=True)
class ArgumentsPiece:
    """More of the arguments of call ``index``."""

    index: int
    text: str


Piece = TextPiece | CallBegun | ArgumentsPiece


class ToolParser:
    """Reads one answer. Without tools, all of it is text."""

    def __init__(self, use: ToolUse) -> None:
        self.num_calls = 0  # begun
        self._held = ""
        self._scanner = ObjectScanner()
        self._pieces: list[Piece] = []
        self._step: Callable[[], bool] = self._only_text
        if use.allowed:
            self._step = self._first if use.form else self._text

    def push(self, text: str) -> list[Piece]:
        """Return what is certain after more of the answer."""
        self._held += text
        while self._step():
            pass
        pieces, self._pieces = self._pieces, []
        return pieces

    def finish(self) -> list[Piece]:
        """Return what was held back. A call that was cut short stays incomplete."""
        is_text = self._step in (self._first, self._text) and not self.num_calls
        pieces: list[Piece] = [TextPiece(self._held)] if is_text and self._held else []
        self._held = ""
        return pieces

    @property
    def is_cut(self) -> bool:
        """Whether the last call's arguments are incomplete."""
        return self._step == self._arguments

    # Each step reads from what is held, and says whether there may be more to read at once.

    def _first(self) -> bool:
        """Of an answer that is either calls or text of a form, its first characters tell."""
        if self._held.startswith(CALL_BEGIN):
            self._step = self._text
        elif not CALL_BEGIN.startswith(self._held):
            self._step = self._only_text
        return self._step != self._first

    def _only_text(self) -> bool:
        self._give_text(self._held)
        self._held = ""
        return False

    def _text(self) -> bool:
        text, mark, rest = self._held.partition(CALL_BEGIN)
        if mark:
            self._give_text(text.rstrip())
            self._held, self._step = rest, self._head
            return True
        end = _num_certain(self._held)
        self._give_text(self._held[:end])
        self._held = self._held[end:]
        return False

    def _head(self) -> bool:
        match = HEAD.match(self._held)
        if not match:
            return False
        self._pieces.append(CallBegun(self.num_calls, uuid4().hex[:24], match[1]))
        self.num_calls += 1
        self._scanner = ObjectScanner()
        self._held, self._step = self._held[match.end() :], self._arguments
        return True

    def _arguments(self) -> bool:
        end = self._scanner.take(self._held)
        if end:
            self._pieces.append(ArgumentsPiece(self.num_calls - 1, self._held[:end]))
        self._held = self._held[end:]
        if self._scanner.is_complete:
            self._step = self._tail
        return self._scanner.is_complete

    def _tail(self) -> bool:
        _, mark, rest = self._held.partition(CALL_END)
        if mark:
            self._held, self._step = rest, self._text
        return bool(mark)

    def _give_text(self, text: str) -> None:
        if text:
            self._pieces.append(TextPiece(text))


@dataclass(slots=True)
class Call:
    """A whole call."""

    id: str
    name: str
    arguments: str = ""
    is_complete: bool = True


def fold(pieces: Sequence[Piece]) -> tuple[str, list[Call]]:
    """Return an answer's text and calls."""
    text, calls = "", list[Call]()
    for piece in pieces:
        match piece:
            case TextPiece():
                text += piece.text
            case CallBegun():
                calls.append(Call(piece.id, piece.name))
            case ArgumentsPiece():
                calls[-1].arguments += piece.text
    return text, calls


def parse(answer: str, use: ToolUse) -> tuple[str, list[Call]]:
    """Return the text and the calls of a whole answer."""
    parser = ToolParser(use)
    text, calls = fold([*parser.push(answer), *parser.finish()])
    if parser.is_cut:
        calls[-1].is_complete = False
    return text, calls


def _num_certain(text: str) -> int:
    """Return how many characters cannot belong to a call's mark or the space before it."""
    longest = min(len(CALL_BEGIN) - 1, len(text))
    held = next((n for n in range(longest, 0, -1) if text.endswith(CALL_BEGIN[:n])), 0)
    return len(text[: len(text) - held].rstrip())


class ObjectScanner:
    """Finds the end of a valid JSON object that comes in pieces."""

    def __init__(self) -> None:
        self.is_complete = False
        self._depth = 0
        self._in_string = False
        self._is_escaped = False

    def take(self, text: str) -> int:
        """Return how many of these characters belong to the object."""
        for position, character in enumerate(text):
            self._read(character)
            if self.is_complete:
                return position + 1
        return len(text)

    def _read(self, character: str) -> None:
        if self._is_escaped:
            self._is_escaped = False
        elif character == '"':
            self._in_string = not self._in_string
        elif self._in_string:
            self._is_escaped = character == "\\"
        elif character in "{[":
            self._depth += 1
        elif character in "}]":
            self._depth -= 1
            self.is_complete = self._depth == 0
