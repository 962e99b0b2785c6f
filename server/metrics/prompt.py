"""Meters of a prompt and its sequences, which turn tokens into observations."""

from time import monotonic
from types import TracebackType
from typing import Self

from sterna.engine import TokenOutput, TokenTimes
from sterna.server.metrics.requests import RequestMetrics


class PromptMeter:
    """Observes the sequences of a prompt, and the prompt itself when all have finished."""

    def __init__(
        self,
        metrics: RequestMetrics,
        arrived_at: float,
        num_prompt_tokens: int,
        max_tokens: int,
        num_choices: int,
    ) -> None:
        self.metrics = metrics
        self.arrived_at = arrived_at
        self.num_prompt_tokens = num_prompt_tokens
        self.max_tokens = max_tokens
        self._num_choices = num_choices
        self._lengths: list[int] = []

    def sequence(self) -> "SequenceMeter":
        """Return a meter for one sequence, to be entered when it begins."""
        return SequenceMeter(self)

    def finish_one(self, num_tokens: int) -> None:
        """Record that a sequence finished with this many tokens."""
        self._lengths.append(num_tokens)
        if len(self._lengths) == self._num_choices:
            self.metrics.sizes.longest_generation.observe(max(self._lengths))
            self.metrics.sizes.num_choices.observe(self._num_choices)


class SequenceMeter:
    """Observes one sequence, which counts as aborted unless it finishes."""

    def __init__(self, prompt: PromptMeter) -> None:
        self._prompt = prompt
        self._metrics = prompt.metrics
        self._num_tokens = 0
        self._first: TokenTimes | None = None
        self._last_at = 0.0
        self._num_cached = 0
        self._outcome = "abort"

    def count_token(self, token: TokenOutput, finish_reason: str | None) -> None:
        """Record a token, and whether it was the last."""
        if self._first is None:
            self._first, self._last_at = token.times, token.times.sampled_at
            self._count_prompt(token.num_cached_tokens)
        if token.token_id is not None:  # else a prompt was scored, or a text has found its end
            self._count_generated(token.times.sampled_at)
        if finish_reason:
            self._outcome = finish_reason
            self._observe_times(self._first)
            self._observe_sizes()

    def fail(self) -> None:
        """Record that the sequence failed."""
        self._outcome = "error"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._metrics.counters.success[self._outcome].inc()

    def _count_generated(self, sampled_at: float) -> None:
        times = self._metrics.times
        if self._num_tokens == 0:
            times.to_first_token.observe(monotonic() - self._prompt.arrived_at)
        else:
            times.between_tokens.observe(sampled_at - self._last_at)
        self._last_at = sampled_at
        self._num_tokens += 1
        self._metrics.counters.generation_tokens.inc()

    def _count_prompt(self, num_cached: int) -> None:
        counters, num_tokens = self._metrics.counters, self._prompt.num_prompt_tokens
        self._num_cached = num_cached
        counters.prompt_tokens.inc(num_tokens)
        counters.prompt_tokens_cached.inc(num_cached)
        counters.prompt_tokens_by_source["local_cache_hit"].inc(num_cached)
        counters.prompt_tokens_by_source["local_compute"].inc(num_tokens - num_cached)

    def _observe_times(self, first: TokenTimes) -> None:
        times, last_at = self._metrics.times, self._last_at
        times.end_to_end.observe(monotonic() - self._prompt.arrived_at)
        times.queue.observe(first.scheduled_at - first.queued_at)
        times.prefill.observe(first.sampled_at - first.scheduled_at)
        times.decode.observe(last_at - first.sampled_at)
        times.inference.observe(last_at - first.scheduled_at)
        if self._num_tokens > 1:
            times.per_token.observe((last_at - first.sampled_at) / (self._num_tokens - 1))

    def _observe_sizes(self) -> None:
        sizes, prompt = self._metrics.sizes, self._prompt
        sizes.prompt.observe(prompt.num_prompt_tokens)
        sizes.computed_prompt.observe(prompt.num_prompt_tokens - self._num_cached)
        sizes.generation.observe(self._num_tokens)
        sizes.max_tokens.observe(prompt.max_tokens)
        prompt.finish_one(self._num_tokens)
