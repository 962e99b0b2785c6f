"""Memory of the weights, the cache and the process, read at each scrape."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sterna.engine import AsyncEngine, ProcessMemory


class MemoryCollector(Collector):
    """Exports one gauge by kind of memory. A kind of unknown size has no sample.

    The kinds overlap, so do not add them up; ``docs/metrics.md`` explains each.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        """The gauge."""
        family = GaugeMetricFamily(
            "sterna:memory_bytes", "Memory by kind; kinds overlap.", labels=["kind"]
        )
        for kind, num_bytes in (self._engine_bytes() | _process_bytes()).items():
            if num_bytes is not None:
                family.add_metric([kind], num_bytes)
        yield family

    def _engine_bytes(self) -> dict[str, int | None]:
        footprint, stats = self._engine.footprint, self._engine.stats()
        block_bytes = footprint.kv_cache_bytes // max(stats.kv_blocks_total, 1)
        return {
            "weights_packed": footprint.weight_bytes,
            "weights_fp16_equivalent": footprint.fp16_weight_bytes,
            "head": footprint.head_bytes,
            "kv_pool": footprint.kv_cache_bytes,
            "kv_used": stats.kv_blocks_used * block_bytes,
            "kv_shared": stats.kv_blocks_shared * block_bytes,
            "scratch": footprint.scratch_bytes,
        }


def _process_bytes() -> dict[str, int | None]:
    memory = ProcessMemory.read()
    return {
        "resident": memory.resident_bytes,
        "resident_anonymous": memory.anonymous_bytes,
        "resident_peak": memory.peak_bytes,
        "cgroup_limit": memory.group_limit_bytes,
    }
