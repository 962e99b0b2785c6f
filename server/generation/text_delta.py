"""Text deltas: the new text of a sequence, assembled from its tokens.

Independent of the engine's thread and of HTTP; ``TextAssembler`` is the state of one sequence.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial

from sterna.engine import FinishReason, PromptLogprob, TokenLogprob, TokenOutput
from sterna.server.errors import UnavailableError
from sterna.server.generation.job import GenerationJob
from sterna.server.schemas.answer import EndReason
from sterna.server.text.detokenizer import Detokenizer, StopFinder
from sterna.server.text.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class TextToken:
    """A token of an answer, or of the prompt that it repeats."""

    token_id: int
    logprob: float | None  # None: nothing came before it
    top_logprobs: tuple[TokenLogprob, ...]  # as many as were asked for, best first
    text_offset: int  # where it begins, in characters; if within one, where that one does


@dataclass(slots=True)  # not frozen, as it is made for every token, and takes half the time so
class TextDelta:
    """New text of a sequence. The last delta of a sequence has a finish reason.

    It contains all new tokens, including those whose text is held back or removed.
    """

    index: int  # of the sequence
    text: str
    num_tokens: int  # generated, also those that gave no text
    num_cached_tokens: int  # of the prompt
    finish_reason: EndReason | None
    stop_reason: str | int | None = None  # the stop string or the id of ``stop_token_ids`` found
    tokens: tuple[TextToken, ...] = ()  # if the job lists them
    prompt_logprobs: tuple[PromptLogprob, ...] | None = None  # if asked for, in the first delta

    @property
    def token_ids(self) -> list[int]:
        """Ids of the tokens, if the job lists them."""
        return [token.token_id for token in self.tokens]

    @property
    def is_empty(self) -> bool:
        """Whether the delta contains nothing for the client."""
        return not (self.text or self.tokens or self.finish_reason)

    def merge(self, later: "TextDelta") -> "TextDelta":
        """Return both deltas as one."""
        return replace(
            later,
            text=self.text + later.text,
            num_tokens=self.num_tokens + later.num_tokens,
            tokens=self.tokens + later.tokens,
            prompt_logprobs=self.prompt_logprobs,
        )


async def collect(deltas: AsyncGenerator[TextDelta]) -> list[TextDelta]:
    """Merge a stream into one delta per sequence with its whole text, in order of index."""
    whole: dict[int, TextDelta] = {}
    async with aclosing(deltas):
        async for delta in deltas:
            earlier = whole.get(delta.index)
            whole[delta.index] = earlier.merge(delta) if earlier else delta
    return [whole[index] for index in sorted(whole)]


class TextAssembler:
    """Creates the deltas of one sequence from its tokens."""

    def __init__(self, job: GenerationJob, index: int, tokenizer: Tokenizer) -> None:
        self._job = job
        self._index = index
        decode = partial(tokenizer.decode, skip_special_tokens=job.skips_special)
        self._detokenizer = Detokenizer(decode, job.context_of(index))
        self._stops = StopFinder(
            job.stops,
            keeps_stop=job.keeps_stop,
            until=job.stops_until,
            until_first=job.stops_until_first,
        )
        self._num_tokens = 0
        echo = job.echo_of(index)
        # That came so far, before any stop string is looked for.
        self._num_characters = len(echo.text) if echo else 0

    def add(self, output: TokenOutput) -> TextDelta:
        """Return a token's delta. Raises UnavailableError if the engine aborted the sequence."""
        reason = output.finish_reason
        if reason in (FinishReason.ABORT, FinishReason.ERROR):
            raise UnavailableError("The generation was aborted.", code="aborted")
        num_new = int(output.token_id is not None)
        self._num_tokens += num_new
        tokens = self._listed(output)
        text = self._text(output)
        if reason:
            text += self._stops.finish()
        return TextDelta(
            self._index,
            text,
            num_new,
            output.num_cached_tokens,
            self._end(reason),
            self._stop_reason(output),
            tokens,
            output.prompt_logprobs,
        )

    def _text(self, output: TokenOutput) -> str:
        # A stop token is a mark and no text, whether the tokenizer calls it special or not.
        is_mark = output.finish_reason is FinishReason.STOP and not self._job.keeps_stop
        text = ""
        if output.token_id is not None and not is_mark:
            text = self._detokenizer.push(output.token_id)
        if output.finish_reason:
            text += self._detokenizer.finish()
        self._num_characters += len(text)
        # A stop string counts only after so many tokens.
        return self._stops.push(text, counts=self._num_tokens > self._job.params.min_tokens)

    def _listed(self, output: TokenOutput) -> tuple[TextToken, ...]:
        if output.token_id is None or not self._job.lists_tokens:
            return ()
        begin = self._num_characters
        return (TextToken(output.token_id, output.logprob, output.top_logprobs, begin),)

    def _end(self, reason: FinishReason | None) -> EndReason | None:
        if self._stops.found or reason is FinishReason.STOP:
            return "stop"
        return "length" if reason else None

    def _stop_reason(self, output: TokenOutput) -> str | int | None:
        if self._stops.found or output.finish_reason is not FinishReason.STOP:
            return self._stops.stop
        return output.token_id if output.token_id in self._job.params.stop_token_ids else None
