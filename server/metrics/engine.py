"""Metrics of the engine, read at each scrape."""

from collections.abc import Iterator
from importlib.metadata import version
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from sterna.engine import AsyncEngine, EngineStats, Histogram
from sterna.server.metrics.families import ENGINE, counter, gauge, model_labels


class EngineCollector(Collector):
    """Turns a snapshot of the engine's counters into metrics."""

    def __init__(self, engine: AsyncEngine, model_name: str) -> None:
        self._engine = engine
        self._model_name = model_name
        self._labels = model_labels(model_name)

    def collect(self) -> Iterator[Metric]:
        """All metrics of the engine, from one snapshot."""
        stats = self._engine.stats()
        yield from self._gauges(stats)
        yield from self._counters(stats)
        yield self._step_tokens(stats.step_tokens)
        yield from self._infos(stats)

    def _gauges(self, stats: EngineStats) -> Iterator[Metric]:
        usage = stats.kv_blocks_used / max(stats.kv_blocks_total, 1)
        waiting, labels = stats.num_waiting, self._labels
        yield gauge("vllm:num_requests_running", "Sequences running.", stats.num_running, labels)
        yield gauge("vllm:num_requests_waiting", "Sequences waiting to run.", waiting, labels)
        yield gauge(
            "vllm:num_requests_waiting_by_reason",
            "Sequences waiting, by reason; here always capacity of the batch or the cache.",
            waiting,
            labels | {"reason": "capacity"},
        )
        yield gauge(
            "vllm:kv_cache_usage_perc", "Fraction of the cache in use, 0 to 1.", usage, labels
        )
        yield gauge("sterna:kv_cache_blocks", "KV cache blocks.", stats.kv_blocks_total)
        yield gauge("sterna:kv_cache_blocks_used", "KV cache blocks in use.", stats.kv_blocks_used)

    def _counters(self, stats: EngineStats) -> Iterator[Metric]:
        for name, text, value in (
            (
                "prefix_cache_queries",
                "Prompt tokens looked up.",
                stats.prefix_tokens_asked,
            ),
            (
                "prefix_cache_hits",
                "Prompt tokens found in the cache.",
                stats.prefix_tokens_hit,
            ),
            ("num_preemptions", "Preemptions of sequences.", stats.num_preemptions),
        ):
            yield counter(f"vllm:{name}", text, value, self._labels)
        yield counter("sterna:engine_steps", "Engine steps.", stats.num_steps)
        yield counter(
            "sterna:computed_tokens",
            "Tokens run through the model, including those computed again.",
            stats.tokens_computed,
        )

    def _step_tokens(self, histogram: Histogram) -> Metric:
        family = HistogramMetricFamily(
            "vllm:iteration_tokens_total",  # vLLM's name, though no counter
            "Tokens run through the model per step.",
            labels=list(self._labels),
        )
        bounds = [*map(float, histogram.bounds), float("inf")]
        buckets = [
            (str(bound).replace("inf", "+Inf"), count)
            for bound, count in zip(bounds, accumulate(histogram.counts), strict=True)
        ]
        family.add_metric(list(self._labels.values()), buckets, histogram.total)
        return family

    def _infos(self, stats: EngineStats) -> Iterator[Metric]:
        footprint = self._engine.footprint
        cache = {
            "block_size": str(stats.kv_block_tokens),
            "num_gpu_blocks": str(stats.kv_blocks_total),  # so called on a CPU too
            "cache_dtype": footprint.kv_dtype or "unknown",
            "enable_prefix_caching": "True",
            "engine": ENGINE,
        }
        yield gauge("vllm:cache_config_info", "Configuration of the KV cache.", 1, cache)
        labels = {
            "model": self._model_name,
            "isa": footprint.isa,
            "threads": str(footprint.num_threads),
            "backend": footprint.backend,
            "version": version("sterna"),
        }
        yield InfoMetricFamily("sterna:engine", "Model, kernels and version in use.", labels)
