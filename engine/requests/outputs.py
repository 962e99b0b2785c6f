"""Outputs of the engine: one record per token, and a snapshot of its counters.

The record of a token is not frozen, which would make it three times slower to create.
"""

from bisect import bisect_left
from dataclasses import dataclass, field

from sterna.engine.errors import GenerationError
from sterna.engine.requests.logprobs import PromptLogprob, TokenLogprob
from sterna.engine.requests.request import FinishReason


@dataclass(slots=True)
class TokenTimes:
    """When a request was queued, first scheduled, and got this token: monotonic seconds."""

    queued_at: float
    scheduled_at: float  # in a batch for the first time: a preemption does not change it
    sampled_at: float


@dataclass(slots=True)
class TokenOutput:
    """One new token of one request, or its end without one.

    There is no token (and ``logprob`` is 0) when the prompt alone was to be scored (``max_tokens``
    0), and when a constraint is fulfilled and no stop token is known that could say so.
    """

    request_id: str
    token_id: int | None
    logprob: float  # natural logarithm, of the model's distribution before temperature
    num_cached_tokens: int  # prompt tokens taken from the prefix cache
    finish_reason: FinishReason | None  # set on the last token
    top_logprobs: tuple[TokenLogprob, ...] = ()  # ``num_logprobs`` of them, best first
    prompt_logprobs: tuple[PromptLogprob, ...] | None = None  # on the first output, if asked for
    # Two outputs are equal whenever they were made.
    times: TokenTimes = field(default_factory=lambda: TokenTimes(0.0, 0.0, 0.0), compare=False)


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """Replaces a request's next token: it has failed, others continue."""

    request_id: str
    error: GenerationError


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of values: one per upper bound, and one for larger values."""

    bounds: tuple[int, ...]
    counts: tuple[int, ...]  # one more than bounds; each value is in one of them
    total: int = 0  # of all values

    @classmethod
    def empty(cls, bounds: tuple[int, ...]) -> "Histogram":
        """Return an empty histogram; bounds must ascend."""
        return cls(bounds, (0,) * (len(bounds) + 1))

    def plus(self, value: int) -> "Histogram":
        """Return the histogram with one more value."""
        counts = list(self.counts)
        counts[bisect_left(self.bounds, value)] += 1
        return Histogram(self.bounds, tuple(counts), self.total + value)


@dataclass(frozen=True, slots=True)
class EngineStats:
    """A snapshot of the engine's counters, which start at zero and only grow."""

    num_running: int
    num_waiting: int
    kv_blocks_used: int
    kv_blocks_shared: int  # of those in use, by two requests or more: a prefix in common
    kv_blocks_total: int
    kv_block_tokens: int
    prefix_tokens_hit: int  # counter: prompt tokens found in the cache, of those looked up
    prefix_tokens_asked: int  # counter: prompt tokens looked up, when a request is first admitted
    num_preemptions: int  # counter
    num_steps: int  # counter
    tokens_computed: int  # counter: tokens run through the model, also those computed again
    step_tokens: Histogram  # counters: tokens run through the model in a step
