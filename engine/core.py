"""The engine without its thread: requests in, one batch per step, tokens out."""

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Protocol

from sterna.engine.errors import GenerationError
from sterna.engine.footprint import Footprint
from sterna.engine.requests.batch import (
    BatchEntry,
    Ended,
    Failed,
    Outcome,
    Outcomes,
    SampledToken,
)
from sterna.engine.requests.logprobs import TokenLogprob
from sterna.engine.requests.outputs import (
    EngineStats,
    Histogram,
    RequestFailed,
    TokenOutput,
    TokenTimes,
)
from sterna.engine.requests.request import FinishReason, Request
from sterna.engine.scheduling.scheduler import Scheduler

STEP_TOKEN_BOUNDS = (1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)  # as vLLM's
NOT_FINITE = "the model's output is not finite"


_Token = tuple[int | None, float, tuple[TokenLogprob, ...]]


class Runner(Protocol):
    """Computes a batch; ``ModelRunner`` is the real one."""

    def run(self, batch: Sequence[BatchEntry]) -> list[Outcomes]:
        """Compute the tokens of every entry; return what each that samples got, in order."""
        ...


class EngineCore:
    """Holds the requests in flight and advances them step by step.

    Not thread-safe: all calls come from one thread, and ``abort`` only between steps.
    ``clock`` gives the times of outputs, in seconds.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        runner: Runner,
        footprint: Footprint,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.footprint = footprint
        self._scheduler = scheduler
        self._runner = runner
        self._clock = clock
        self._requests: dict[str, Request] = {}
        self._num_steps = 0
        self._step_tokens = Histogram.empty(STEP_TOKEN_BOUNDS)

    @property
    def has_work(self) -> bool:
        """True while any request is unfinished."""
        return bool(self._requests)

    def add(self, request: Request) -> None:
        """Queue a request with an unused id that fits the cache alone."""
        request.queued_at = self._clock()
        self._requests[request.request_id] = request
        self._scheduler.add(request)

    def abort(self, request_id: str) -> None:
        """Remove a request and free its blocks; do nothing if it has finished."""
        if (request := self._requests.pop(request_id, None)) is not None:
            self._scheduler.abort(request)

    def step(self) -> list[TokenOutput | RequestFailed]:
        """Compute one batch; there must be work. Returns the outputs of requests that sampled."""
        batch = self._scheduler.schedule()
        assert batch, "a request that does not fit the cache was let in"
        self._note_first_run(batch)
        results = self._runner.run(batch)
        at = self._clock()
        taken = self._scheduler.update(batch, results)
        self._num_steps += 1
        self._step_tokens = self._step_tokens.plus(sum(entry.num_tokens for entry in batch))
        return [self._output(request, outcome, end, at) for request, outcome, end in taken]

    def stats(self) -> EngineStats:
        """Take a snapshot of the counters."""
        scheduler, cache = self._scheduler, self._scheduler.cache
        return EngineStats(
            num_running=len(scheduler.running),
            num_waiting=len(scheduler.waiting),
            kv_blocks_used=cache.num_blocks - cache.num_free_blocks,
            kv_blocks_shared=cache.num_shared_blocks,
            kv_blocks_total=cache.num_blocks,
            kv_block_tokens=cache.block_tokens,
            prefix_tokens_hit=scheduler.prefix_tokens_hit,
            prefix_tokens_asked=scheduler.prefix_tokens_asked,
            num_preemptions=scheduler.num_preemptions,
            num_steps=self._num_steps,
            tokens_computed=self._step_tokens.total,
            step_tokens=self._step_tokens,
        )

    def _note_first_run(self, batch: Sequence[BatchEntry]) -> None:
        now = self._clock()
        for entry in batch:
            if entry.request.scheduled_at is None:
                entry.request.scheduled_at = now

    def _output(
        self, request: Request, outcome: Outcome, end: FinishReason | None, at: float
    ) -> TokenOutput | RequestFailed:
        if end:
            del self._requests[request.request_id]
        if isinstance(outcome, SampledToken):
            token: _Token = (outcome.token_id, outcome.logprob, outcome.top_logprobs)
        elif isinstance(outcome, Ended):
            token = None, 0.0, ()
        else:
            error = outcome.error if isinstance(outcome, Failed) else GenerationError(NOT_FINITE)
            return RequestFailed(request.request_id, error)
        token_id, logprob, top_logprobs = token
        scores, request.prompt_logprobs = request.prompt_logprobs, None  # told once
        assert request.scheduled_at is not None, "it has just run"
        return TokenOutput(
            request.request_id,
            token_id,
            logprob,
            request.num_cached_tokens or 0,
            end,
            top_logprobs,
            None if scores is None else tuple(scores),
            times=TokenTimes(request.queued_at, request.scheduled_at, at),
        )
