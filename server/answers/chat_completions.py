"""The answer of ``/v1/chat/completions``."""

from collections.abc import Iterator, Sequence
from typing import TypedDict

from sterna.engine import EnergyAccounting
from sterna.server.answers.chat_reader import ChatReader
from sterna.server.answers.logprobs import LogprobWriter
from sterna.server.answers.usage import UsageCounter
from sterna.server.generation.job import GenerationJob
from sterna.server.generation.text_delta import TextDelta
from sterna.server.schemas.answer import new_head
from sterna.server.schemas.chat_completions import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionRequest,
    Choice,
    ChunkChoice,
)
from sterna.server.schemas.logprobs import ChatLogprobs


class ChatAnswer:
    """See ``Answer``. Of each choice first the role, then text and calls; last the usage."""

    def __init__(
        self,
        body: ChatCompletionRequest,
        job: GenerationJob,
        logprobs: LogprobWriter,
        energy: EnergyAccounting,
    ) -> None:
        self._body = body
        self._logprobs = logprobs
        self._head = new_head("chatcmpl", body.model)
        self._usage = UsageCounter(job, energy if body.tells_energy else None)
        self._readers = [ChatReader(job.tool_use) for _ in range(job.num_sequences)]
        self._prompt_token_ids = job.prompts[0] if body.return_token_ids else None

    def whole(self, texts: Sequence[TextDelta]) -> ChatCompletion:
        """All choices, with what is known of the prompt."""
        for text in texts:
            self._usage.add(text)
        return ChatCompletion(
            **self._head,
            choices=[self._choice(text) for text in texts],
            usage=self._usage.total(),
            prompt_logprobs=self._logprobs.prompt(texts[0], self._body.prompt_logprobs),
            prompt_token_ids=self._prompt_token_ids,
        )

    def chunks(self, delta: TextDelta) -> Iterator[ChatCompletionChunk]:
        """One for the role, and for each piece of text or of a call."""
        self._usage.add(delta)
        counts = self._usage.so_far() if self._body.continuous_usage else None
        for choice in self._chunk_choices(delta):
            yield ChatCompletionChunk(
                **self._head,
                choices=[choice],
                usage=counts,
                prompt_token_ids=self._prompt_token_ids,
            )
            self._prompt_token_ids = None  # in the first chunk only

    def last_chunks(self) -> Iterator[ChatCompletionChunk]:
        """The usage, if it was asked for."""
        if self._body.include_usage:
            yield ChatCompletionChunk(**self._head, choices=[], usage=self._usage.total())

    def _choice(self, text: TextDelta) -> Choice:
        reader = self._readers[text.index]
        message, reason = reader.message(text), reader.end_reason(text)
        assert reason, "a stream ends only when all its sequences have"
        return Choice(message=message, finish_reason=reason, **self._details(text))

    def _chunk_choices(self, delta: TextDelta) -> Iterator[ChunkChoice]:
        reader = self._readers[delta.index]
        gained = reader.read(delta)
        yield from (ChunkChoice(index=delta.index, delta=gain) for gain in gained[:-1])
        for last in gained[-1:]:
            reason, details = reader.end_reason(delta), self._details(delta)
            yield ChunkChoice(delta=last, finish_reason=reason, **details)

    def _details(self, delta: TextDelta) -> "_Details":
        return {
            "index": delta.index,
            "logprobs": self._logprobs.chat(delta.tokens) if self._body.logprobs else None,
            "stop_reason": delta.stop_reason,
            "token_ids": delta.token_ids if self._body.return_token_ids else None,
        }


class _Details(TypedDict):
    """What a choice says of its tokens, streamed or whole."""

    index: int
    logprobs: ChatLogprobs | None
    stop_reason: str | int | None
    token_ids: list[int] | None
