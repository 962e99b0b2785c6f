"""Token ids -> text as they come: holds back unfinished characters and possible stop strings.

Knows nothing of requests; ``Detokenizer`` and ``StopFinder`` are one sequence's state each.
"""

from collections.abc import Callable, Sequence

REPLACEMENT = "\ufffd"  # what a decoder makes of bytes that are no UTF-8 (yet)
MAX_HELD_TOKENS = 16  # a character takes four at most: after this it is garbage and given out

Decode = Callable[[list[int]], str]


class Detokenizer:
    """Turns the ids of one sequence into text, piece by piece.

    Decodes a short window that starts where the last complete piece started: a decoder may drop
    the space before a first word, so the window always has a piece that was given out before.
    """

    def __init__(self, decode: Decode, context: Sequence[int] = ()) -> None:
        """Begin a text, or go on after the ids ``context``, of which whole characters are known."""
        self._decode = decode
        self._window: list[int] = []
        self._num_context_tokens = 0  # ids at the head of the window that were given out entirely
        self._num_given = 0  # characters of the window's text that were given out
        for token_id in context:
            self.push(token_id)

    def push(self, token_id: int) -> str:
        """Text that is certain after one more token; it may be empty."""
        self._window.append(token_id)
        text = self._decode(self._window)
        is_partial = text.endswith(REPLACEMENT)
        if is_partial and len(self._window) - self._num_context_tokens < MAX_HELD_TOKENS:
            return self._give(text, len(text.rstrip(REPLACEMENT)))
        piece = self._give(text, len(text))
        if piece or len(self._window) >= MAX_HELD_TOKENS:
            self._advance()
        elif self._num_given:
            self._window.pop()  # a special token that is skipped: the next needs what was before
        return piece

    def finish(self) -> str:
        """What was held back: the sequence ends in the middle of a character."""
        text = self._decode(self._window)
        return self._give(text, len(text))

    def _give(self, text: str, end: int) -> str:
        piece = text[self._num_given : end]
        self._num_given = max(self._num_given, end)
        return piece

    def _advance(self) -> None:
        del self._window[: self._num_context_tokens]
        self._num_context_tokens = len(self._window)
        self._num_given = len(self._decode(self._window))


class StopFinder:
    """Cuts the text of one sequence before the first stop string, or (``keeps_stop``) after it.

    From ``until`` on, if that comes first, stop strings mean nothing: what follows is no prose.
    With ``until_first``, only if nothing at all comes before it.
    """

    def __init__(
        self,
        stops: Sequence[str],
        *,
        keeps_stop: bool = False,
        until: str | None = None,
        until_first: bool = False,
    ) -> None:
        self._stops = stops
        self._keeps_stop = keeps_stop
        self._until = [until] if stops and until else []
        self._until_first = until_first
        self._held = ""  # may be the beginning of a stop string, or of ``until``
        self.stop: str | None = None  # that was found

    @property
    def found(self) -> bool:
        """Whether the text has ended."""
        return self.stop is not None

    def push(self, text: str, *, counts: bool = True) -> str:
        """Text that no stop string can claim any more. Sets ``stop``; after that it is empty.

        Without ``counts``, no stop string is looked for.
        """
        if self.found:
            return ""
        if not self._stops:
            return text
        self._held += text
        if self._until_first and not all(map(self._begins_like, self._until)):
            self._until = []
        stops = self._stops if counts else ()
        marks = [*stops, *self._until]
        found = [(at, mark) for mark in marks if (at := self._held.find(mark)) >= 0]
        at, mark = min(found, default=(0, ""))
        if mark in stops:
            self.stop = mark
            given, self._held = self._held, ""
            return given[: at + len(mark) if self._keeps_stop else at]
        if mark:
            self._stops, self._until, marks = (), [], []
        end = len(self._held) - self._num_claimed(marks)
        given, self._held = self._held[:end], self._held[end:]
        return given

    def finish(self) -> str:
        """What was held back: no more text will complete a stop string. Empty once one is found."""
        held, self._held = self._held, ""
        return held

    def _begins_like(self, mark: str) -> bool:
        """Whether the held text begins with the mark, or is the beginning of it."""
        return self._held.startswith(mark) or mark.startswith(self._held)

    def _num_claimed(self, marks: Sequence[str]) -> int:
        """Length of the longest end of the held text with which one of these begins."""
        longest = max(map(len, marks), default=0) - 1
        for length in range(min(longest, len(self._held)), 0, -1):
            if any(mark.startswith(self._held[-length:]) for mark in marks):
                return length
        return 0
