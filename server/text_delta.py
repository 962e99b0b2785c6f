"""Text as it comes: what a sequence has gained, and how tokens become it.

Knows nothing of the engine's thread or of HTTP; ``TextAssembler`` is one sequence's state.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from engine import FinishReason, TokenOutput
from server.detokenizer import Detokenizer, StopFinder
from server.errors import UnavailableError
from server.schemas.answer import EndReason
from server.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class TextDelta:
    """What a sequence has gained. The last one of a sequence has a finish reason."""

    index: int  # of the sequence
    text: str
    num_tokens: int  # generated, also those that gave no text
    num_cached_tokens: int  # of the prompt
    finish_reason: EndReason | None

    def merge(self, later: "TextDelta") -> "TextDelta":
        """Both as one."""
        return replace(
            later, text=self.text + later.text, num_tokens=self.num_tokens + later.num_tokens
        )


async def collect(deltas: AsyncGenerator[TextDelta]) -> list[TextDelta]:
    """Fold a stream: one delta for each sequence, with all of its text, in order of index."""
    whole: dict[int, TextDelta] = {}
    async with aclosing(deltas):
        async for delta in deltas:
            earlier = whole.get(delta.index)
            whole[delta.index] = earlier.merge(delta) if earlier else delta
    return [whole[index] for index in sorted(whole)]


class TextAssembler:
    """Makes the deltas of one sequence from its tokens."""

    def __init__(self, index: int, tokenizer: Tokenizer, stops: Sequence[str]) -> None:
        self._index = index
        self._detokenizer = Detokenizer(tokenizer.decode)
        self._stop = StopFinder(stops)

    def add(self, token: TokenOutput) -> TextDelta:
        """Raises UnavailableError when the engine gave the sequence up."""
        reason = token.finish_reason
        if reason in (FinishReason.ABORT, FinishReason.ERROR):
            raise UnavailableError("The generation was aborted.", code="aborted")
        # A stop token is a mark and no text, whether the tokenizer calls it special or not.
        text = ""
        if token.token_id is not None and reason is not FinishReason.STOP:
            text = self._detokenizer.push(token.token_id)
        text = self._stop.push(text)
        if reason:
            text += self._stop.push(self._detokenizer.finish())
            text += self._stop.finish()
        num_tokens = int(token.token_id is not None)
        return TextDelta(self._index, text, num_tokens, token.num_cached_tokens, self._end(reason))

    def _end(self, reason: FinishReason | None) -> EndReason | None:
        if self._stop.found or reason is FinishReason.STOP:
            return "stop"
        return "length" if reason else None
