"""Every Prometheus metric. Which metric? Here; the engine's own numbers are read at each scrape.

Times are in seconds and taken from one monotonic clock; they start when the request arrives,
before its prompt is encoded. Buckets are those of vLLM, so that its dashboards' panels fit.
"""

from collections.abc import Callable, Iterator
from time import monotonic
from types import TracebackType
from typing import Self

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from engine import EngineStats

FIRST_TOKEN_BUCKETS = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40,
    80, 160, 640, 2560,
)  # fmt: skip
INTER_TOKEN_BUCKETS = (
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
)  # fmt: skip
LATENCY_BUCKETS = (
    0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680,
)  # fmt: skip
OUTCOMES = ("stop", "length", "abort", "error", "rejected")


class Metrics:
    """The metrics of one app, in a registry of their own."""

    def __init__(self, read_stats: Callable[[], EngineStats]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # times that nobody asks for
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "sterna_requests",
            "Sequences by how they ended: n choices count n. rejected: no place in the queue.",
            ["outcome"],
            registry=registry,
        )
        self.http_requests = Counter(
            "sterna_http_requests",
            "HTTP responses by method, route and status.",
            ["method", "route", "status"],
            registry=registry,
        )
        self.prompt_tokens = Counter(
            "sterna_prompt_tokens", "Prompt tokens of sequences begun.", registry=registry
        )
        self.generation_tokens = Counter(
            "sterna_generation_tokens", "Tokens generated.", registry=registry
        )
        self.time_to_first_token = Histogram(
            "sterna_time_to_first_token_seconds",
            "From arrival to a sequence's first token.",
            buckets=FIRST_TOKEN_BUCKETS,
            registry=registry,
        )
        self.inter_token_latency = Histogram(
            "sterna_inter_token_latency_seconds",
            "Between successive tokens of a sequence.",
            buckets=INTER_TOKEN_BUCKETS,
            registry=registry,
        )
        self.request_latency = Histogram(
            "sterna_e2e_request_latency_seconds",
            "From arrival to a sequence's last token.",
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        for outcome in OUTCOMES:
            self.requests.labels(outcome)  # a rate needs to start from a zero
        registry.register(EngineCollector(read_stats))
        ProcessCollector(registry=registry)

    def sequence(self, arrived_at: float, num_prompt_tokens: int) -> "SequenceMeter":
        """A meter for one sequence, to be entered when the sequence begins."""
        return SequenceMeter(self, arrived_at, num_prompt_tokens)


class SequenceMeter:
    """Observes one sequence; one that is left before it finished counts as aborted."""

    def __init__(self, metrics: Metrics, arrived_at: float, num_prompt_tokens: int) -> None:
        self._metrics = metrics
        self._arrived_at = arrived_at
        self._last_token_at: float | None = None
        self._outcome = "abort"
        metrics.prompt_tokens.inc(num_prompt_tokens)

    def count_token(self, finish_reason: str | None) -> None:
        """Note that a token has come, and whether it was the last."""
        now = monotonic()
        self._metrics.generation_tokens.inc()
        if self._last_token_at is None:
            self._metrics.time_to_first_token.observe(now - self._arrived_at)
        else:
            self._metrics.inter_token_latency.observe(now - self._last_token_at)
        self._last_token_at = now
        if finish_reason:
            self._outcome = finish_reason
            self._metrics.request_latency.observe(now - self._arrived_at)

    def fail(self) -> None:
        """Note that an error ended the sequence."""
        self._outcome = "error"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._metrics.requests.labels(self._outcome).inc()


class EngineCollector(Collector):
    """Turns a snapshot of the engine's counters into metrics when Prometheus asks."""

    def __init__(self, read_stats: Callable[[], EngineStats]) -> None:
        self._read_stats = read_stats

    def collect(self) -> Iterator[Metric]:
        """All metrics of the engine, from one snapshot."""
        stats = self._read_stats()
        yield from _gauges(stats)
        yield from _counters(stats)
        info = {"isa": stats.isa, "backend": stats.backend, "threads": str(stats.num_threads)}
        yield InfoMetricFamily("sterna_engine", "What computes.", info)


def _gauges(stats: EngineStats) -> Iterator[Metric]:
    usage = stats.kv_blocks_used / max(stats.kv_blocks_total, 1)
    for name, help_text, value in (
        ("num_requests_running", "Sequences in the batch.", stats.num_running),
        ("num_requests_waiting", "Sequences that wait for the batch.", stats.num_waiting),
        ("kv_cache_usage_ratio", "Part of the cache that is in use, 0 to 1.", usage),
        ("kv_cache_blocks_used", "Blocks of the cache in use.", stats.kv_blocks_used),
        ("kv_cache_blocks", "Blocks of the cache.", stats.kv_blocks_total),
        ("kv_cache_block_tokens", "Tokens in a block.", stats.kv_block_tokens),
        ("kv_cache_bytes", "Memory of the cache.", stats.kv_cache_bytes),
        ("weight_bytes", "Memory of the weights as they are served.", stats.weight_bytes),
    ):
        yield GaugeMetricFamily(f"sterna_{name}", help_text, value)


def _counters(stats: EngineStats) -> Iterator[Metric]:
    for name, help_text, value in (
        ("prefix_cache_queries", "Prompt tokens looked up.", stats.prefix_tokens_asked),
        ("prefix_cache_hits", "Prompt tokens found in the cache.", stats.prefix_tokens_hit),
        ("preemptions", "Sequences put back to be computed again.", stats.num_preemptions),
        ("engine_steps", "Steps of the engine.", stats.num_steps),
        ("computed_tokens", "Tokens run through the model.", stats.tokens_computed),
    ):
        yield CounterMetricFamily(f"sterna_{name}", help_text, value)
