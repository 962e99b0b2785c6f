"""Text deltas -> the choices of ``/v1/completions``, streamed or whole.

One for each response: it remembers which answers have begun, as what comes before an answer (its
prompt, if it is to be repeated) goes with the first of it.
"""

from sterna.server.answers.logprobs import LogprobWriter
from sterna.server.generation.job import GenerationJob
from sterna.server.generation.text_delta import TextDelta, TextToken
from sterna.server.schemas.completions import Choice, CompletionRequest
from sterna.server.schemas.logprobs import CompletionLogprobs
from sterna.server.text.echo import Echo


class CompletionWriter:
    """Writes the choices of one response."""

    def __init__(self, body: CompletionRequest, job: GenerationJob, writer: LogprobWriter) -> None:
        self._body = body
        self._job = job
        self._writer = writer
        self._begun: set[int] = set()

    def choice(self, delta: TextDelta) -> Choice:
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
