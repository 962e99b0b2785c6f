"""Generates a stream of text deltas from prompts, for streamed and for whole responses.

The stream owns its sequences: however it ends, its ``finally`` cancels those that still run, and
the engine drops them within a step. It never waits for its reader: text generated meanwhile is
merged into one delta per sequence.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from time import monotonic

from sterna.engine import AsyncEngine, ConstraintError
from sterna.server.error_answers import as_api_error
from sterna.server.errors import ConstraintFailedError, TimedOutError, UnavailableError
from sterna.server.generation.job import GenerationJob
from sterna.server.generation.outbox import Outbox
from sterna.server.generation.request_record import RequestRecord, current_record
from sterna.server.generation.text_delta import TextAssembler, TextDelta
from sterna.server.metrics import Metrics, PromptMeter
from sterna.server.text.tokenizer import Tokenizer


class TextGenerator:
    """Runs jobs on the engine."""

    def __init__(
        self,
        engine: AsyncEngine,
        tokenizer: Tokenizer,
        metrics: Metrics,
        timeout_seconds: float | None = None,
    ) -> None:
        self._engine = engine
        self._tokenizer = tokenizer
        self._metrics = metrics
        self._timeout_seconds = timeout_seconds
        self._outboxes: set[Outbox] = set()
        self._end_error: Exception | None = None

    def end_all(self, error: Exception) -> None:
        """End every stream with an error, including those whose prompts are still being encoded.

        Text that is already generated is still delivered.
        """
        self._end_error = error
        for outbox in self._outboxes:
            outbox.fail(error)

    async def stream(self, job: GenerationJob) -> AsyncGenerator[TextDelta]:
        """Yield the deltas of all sequences as they come, until each has finished.

        Raises the error of the first sequence that fails; the others end with it.
        """
        outbox, record = Outbox(job.num_sequences), current_record.get() or RequestRecord()
        record.begin(job)
        meters = [
            self._metrics.prompt(job.arrived_at, length, job.params.max_tokens, job.num_choices)
            for length in job.prompt_lengths
        ]
        tasks = [
            asyncio.create_task(
                self._run(job, index, outbox, meters[index // job.num_choices], record)
            )
            for index in range(job.num_sequences)
        ]
        try:
            with self._limited(outbox, job):
                while deltas := await outbox.take():
                    for delta in deltas:
                        record.add(delta)
                        yield delta
            await self._engine.energy.settle()
        except Exception as error:
            record.end(as_api_error(error).code or "error")
            raise
        finally:
            record.end("abort")
            record.charge(job.energy.joules, self._engine.energy.basis.source)
            for task in tasks:
                task.cancel()

    @contextmanager
    def _limited(self, outbox: Outbox, job: GenerationJob) -> Iterator[None]:
        """End the stream at its time limit, or when all streams are ended."""
        timer = None
        if self._timeout_seconds is not None:
            left = self._timeout_seconds - (monotonic() - job.arrived_at)
            error = TimedOutError(self._timeout_seconds)
            timer = asyncio.get_running_loop().call_later(left, outbox.fail, error)
        self._outboxes.add(outbox)
        if self._end_error:
            outbox.fail(self._end_error)
        try:
            yield
        finally:
            self._outboxes.remove(outbox)
            if timer:
                timer.cancel()

    async def _run(
        self,
        job: GenerationJob,
        index: int,
        outbox: Outbox,
        prompt_meter: PromptMeter,
        record: RequestRecord,
    ) -> None:
        prompt = job.prompt_of(index)
        assembler = TextAssembler(job, index, self._tokenizer)
        with prompt_meter.sequence() as meter:
            try:
                tokens = self._engine.generate(prompt, job.params_of(index), energy=job.energy)
                async with aclosing(tokens):
                    async for token in tokens:
                        delta = assembler.add(token)
                        record.start(token.times.scheduled_at)
                        meter.count_token(token, delta.finish_reason)
                        outbox.put(delta)
                        if delta.finish_reason:
                            return
                raise UnavailableError("The generation was aborted.", code="aborted")
            except ConstraintError as error:
                meter.fail()
                outbox.fail(ConstraintFailedError(str(error), job.constraint_param))
            except Exception as error:
                meter.fail()
                outbox.fail(error)
