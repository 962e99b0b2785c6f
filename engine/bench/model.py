"""``sterna bench model``: the engine without HTTP, against what the machine's limits allow.

The limit of a step is the longer of two times: all bytes that it reads over the read bandwidth,
and all int8 multiply-adds over their peak rate; both are probed beside each measurement. Bytes
are the ternary weights, the head, and the keys and values of the context.
"""

import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from engine.bench.limits import LimitProbe, Limits
from engine.config import EngineConfig
from engine.load import load_engine
from engine.request import Request, SamplingParams

PREFILL_TOKENS: Final = 512
BATCH_SIZES: Final = (1, 2, 4, 8, 16, 32)
OVERHEAD_BATCHES: Final = (1, 16)
DECODE_PROMPT_TOKENS: Final = 64
DECODE_STEPS: Final = 20
PREFILL_REPEATS: Final = 3


@dataclass(frozen=True, slots=True)
class Rate:
    """Tokens a second, what the limits would allow, and the one over the other."""

    tok_per_s: float
    roofline_tok_per_s: float
    fraction: float
    batch: int = 1


@dataclass(frozen=True, slots=True)
class ModelReport:
    """All figures of one run. Overhead is the time of a step outside the kernels, by batch."""

    model: str
    isa: str
    threads: int
    read_gb_per_s: float
    peak_gmac_per_s: float
    prefill: Rate
    decode: list[Rate]
    overhead_ms_per_step: dict[str, float]
    load_seconds: float
    rss_mb: float

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON takes it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Work:
    """What a stretch of steps has to read and to multiply, and what it took."""

    tokens: int
    num_bytes: float
    macs: float
    seconds: float
    limits: Limits

    @property
    def limit_seconds(self) -> float:
        return max(
            self.num_bytes / self.limits.bytes_per_second, self.macs / self.limits.macs_per_second
        )


def bench_model(
    config: EngineConfig, progress: Callable[[str, int, int], None] | None = None
) -> ModelReport:
    """Load and measure. Raises CheckpointError, ConfigError."""
    bench = _Bench(config, progress)
    prefill = [bench.prefill() for _ in range(PREFILL_REPEATS)]
    decode: list[Rate] = []
    overhead: dict[str, float] = {}
    for index, batch in enumerate(BATCH_SIZES):
        if progress:
            progress("Measuring decode", index, len(BATCH_SIZES))
        works, overhead_seconds = bench.decode(batch)
        decode.append(_rate(works, batch))
        if batch in OVERHEAD_BATCHES:
            overhead[str(batch)] = 1e3 * overhead_seconds
    limits = bench.probe.measure()
    return ModelReport(
        model=config.model_path.name,
        isa=bench.loaded.program.isa,
        threads=bench.loaded.program.num_threads,
        read_gb_per_s=limits.bytes_per_second / 1e9,
        peak_gmac_per_s=limits.macs_per_second / 1e9,
        prefill=_rate(prefill, 1),
        decode=decode,
        overhead_ms_per_step=overhead,
        load_seconds=bench.load_seconds,
        rss_mb=bench.rss_mb,
    )


def _rate(works: list[_Work], batch: int) -> Rate:
    seconds = median(work.seconds for work in works)
    limit = median(work.limit_seconds for work in works)
    fraction = median(work.limit_seconds / work.seconds for work in works)
    return Rate(works[0].tokens / seconds, works[0].tokens / limit, fraction, batch)


class _Bench:
    """A loaded engine, stepped by hand."""

    def __init__(
        self, config: EngineConfig, progress: Callable[[str, int, int], None] | None
    ) -> None:
        start = time.perf_counter()
        self.loaded = load_engine(config, progress)
        self.load_seconds = time.perf_counter() - start
        self.rss_mb = resident_bytes() / 1e6
        self.probe = LimitProbe(self.loaded.program.isa, self.loaded.program.num_threads)
        self._core = self.loaded.core
        self._num_requests = 0

    def prefill(self) -> _Work:
        """Compute one long prompt, up to its first token."""
        self._add(PREFILL_TOKENS, max_tokens=1)
        limits = self.probe.measure()
        steps, start = 0, time.perf_counter()
        while self._core.has_work:
            self._core.step()
            steps += 1
        seconds = time.perf_counter() - start
        return self._work(steps, PREFILL_TOKENS, steps * PREFILL_TOKENS // 2, 1, seconds, limits)

    def decode(self, batch: int) -> tuple[list[_Work], float]:
        """Decode with a full batch; also returns the seconds of a step outside the kernels."""
        for _ in range(batch):
            self._add(DECODE_PROMPT_TOKENS, max_tokens=1000)
        decoding: set[str] = set()
        while len(decoding) < batch:
            decoding |= {output.request_id for output in self._core.step()}
        works, overheads = [], []
        for index in range(DECODE_STEPS):
            limits = self.probe.measure()
            kernels, start = self._kernel_seconds(), time.perf_counter()
            self._core.step()
            seconds = time.perf_counter() - start
            overheads.append(seconds - (self._kernel_seconds() - kernels))
            context = batch * (DECODE_PROMPT_TOKENS + index)
            works.append(self._work(1, batch, context, batch, seconds, limits))
        for request_id in decoding:
            self._core.abort(request_id)
        return works, median(overheads)

    def _work(
        self, steps: int, tokens: int, context: int, logits: int, seconds: float, limits: Limits
    ) -> _Work:
        weights, stats = self.loaded.weights, self._core.stats()
        kv_token_bytes = stats.kv_cache_bytes / (stats.kv_blocks_total * stats.kv_block_tokens)
        read_once = steps * weights.ternary_bytes + weights.int8_head.num_bytes
        num_bytes = read_once + context * kv_token_bytes
        macs = tokens * weights.config.num_ternary_parameters + logits * weights.head.numel()
        return _Work(tokens, num_bytes, macs, seconds, limits)

    def _add(self, prompt_tokens: int, max_tokens: int) -> None:
        self._num_requests += 1  # a prompt of its own, so that no prefix is shared
        vocab_size = self.loaded.weights.config.vocab_size
        prompt = [(self._num_requests * 7919 + i * 31) % vocab_size for i in range(prompt_tokens)]
        params = SamplingParams(max_tokens=max_tokens, temperature=0.0)
        self._core.add(Request(f"bench-{self._num_requests}", prompt, params))

    def _kernel_seconds(self) -> float:
        return sum(self.loaded.program.seconds.values())


def resident_bytes() -> int:
    """Return the memory that this process holds for itself, and what it has mapped and touched."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()
