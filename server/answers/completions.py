"""The answer of ``/v1/completions``.

It remembers which choices have begun, as what comes before one (its prompt, if it is to be
repeated) goes with the first of it.
"""

from collections.abc import Iterator, Sequence

from sterna.engine import EnergyAccounting
from sterna.server.answers.logprobs import LogprobWriter
from sterna.server.answers.usage import UsageCounter
from sterna.server.generation.job import GenerationJob
from sterna.server.generation.text_delta import TextDelta, TextToken
from sterna.server.schemas.answer import new_head
from sterna.server.schemas.completions import Choice, Completion, CompletionRequest
from sterna.server.schemas.logprobs import CompletionLogprobs
from sterna.server.text.echo import Echo


class CompletionAnswer:
    """See ``Answer``. The text of each choice as it comes; last the usage."""

    def __init__(
        self,
        body: CompletionRequest,
        model: str,
        job: GenerationJob,
        logprobs: LogprobWriter,
        energy: EnergyAccounting,
    ) -> None:
        self._body = body
        self._job = job
        self._writer = logprobs
        self._head = new_head("cmpl", model)
        self._usage = UsageCounter(job, energy if body.tells_energy else None)
        self._begun: set[int] = set()

    def whole(self, texts: Sequence[TextDelta]) -> Completion:
        """All choices."""
        for text in texts:
            self._usage.add(text)
        choices = [self._choice(text) for text in texts]
        return Completion(**self._head, choices=choices, usage=self._usage.total())

    def chunks(self, delta: TextDelta) -> Iterator[Completion]:
        """One, unless there is nothing to say."""
        self._usage.add(delta)
        if not delta.is_empty:
            counts = self._usage.so_far() if self._body.continuous_usage else None
            yield Completion(**self._head, choices=[self._choice(delta)], usage=counts)

    def last_chunks(self) -> Iterator[Completion]:
        """The usage, if it was asked for."""
        if self._body.include_usage:
            yield Completion(**self._head, choices=[], usage=self._usage.total())

    def _choice(self, delta: TextDelta) -> Choice:
        """What the delta says, after its answer's prompt if that is to be repeated."""
        is_first = delta.index not in self._begun
        self._begun.add(delta.index)
        echo = self._job.echo_of(delta.index) if is_first else None
        returns_ids = bool(self._body.return_token_ids)
        return Choice(
            index=delta.index,
            text=echo.text + delta.text if echo else delta.text,
            logprobs=self._logprobs(delta, echo),
            finish_reason=delta.finish_reason,
            stop_reason=delta.stop_reason,
            prompt_logprobs=self._writer.prompt(delta, self._body.prompt_logprobs),
            prompt_token_ids=(
                self._job.prompt_of(delta.index) if is_first and returns_ids else None
            ),
            token_ids=delta.token_ids if returns_ids else None,
        )

    def _logprobs(self, delta: TextDelta, echo: Echo | None) -> CompletionLogprobs | None:
        if self._body.logprobs is None:
            return None
        return self._writer.completion([*self._echoed(delta, echo), *delta.tokens])

    def _echoed(self, delta: TextDelta, echo: Echo | None) -> list[TextToken]:
        if echo is None or delta.prompt_logprobs is None:
            return []
        return [
            TextToken(score.token_id, score.logprob, score.top[: self._body.logprobs], begin)
            for score, begin in zip(delta.prompt_logprobs, echo.text_offsets, strict=True)
        ]
