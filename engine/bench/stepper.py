"""A loaded engine, stepped by hand: how long steps take, and what they have to do."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sterna.engine.bench.energy import EnergyProbe, WorkEnergy
from sterna.engine.bench.limits import LimitProbe, Limits
from sterna.engine.config import EngineConfig
from sterna.engine.energy.build import build_meter
from sterna.engine.load import load_engine
from sterna.engine.machine.process_memory import ProcessMemory
from sterna.engine.progress import Progress
from sterna.engine.requests.request import Request, SamplingParams

DECODE_PROMPT_TOKENS: Final = 64
DECODE_STEPS: Final = 20
_LONG_ENOUGH: Final = 1000  # tokens: no request ends while it is measured


@dataclass(frozen=True, slots=True)
class Work:
    """A stretch of steps: the tokens it made or took, what it has to do, and what it took.

    kernels: seconds in each kind of kernel. What is missing to ``seconds`` was spent outside.
    """

    tokens: int
    num_bytes: float
    macs: float
    seconds: float
    kernels: Mapping[str, float]
    limits: Limits
    energy: WorkEnergy

    @property
    def limit_seconds(self) -> float:
        """How long the machine's limits allow it to take: reading or multiplying, the longer."""
        reading = self.num_bytes / self.limits.bytes_per_second
        return max(reading, self.macs / self.limits.macs_per_second)

    @property
    def overhead_seconds(self) -> float:
        """Time outside the kernels."""
        return self.seconds - sum(self.kernels.values())


class Stepper:
    """Loads an engine and steps it. Raises CheckpointError, ConfigError."""

    def __init__(self, config: EngineConfig, progress: Progress | None = None) -> None:
        start = time.perf_counter()
        self.loaded = load_engine(config, build_meter(config), progress)
        self.load_seconds = time.perf_counter() - start
        self.resident_bytes = ProcessMemory.read().resident_bytes
        self.probe = LimitProbe(self.loaded.program.isa, self.loaded.program.num_threads)
        self._core = self.loaded.core
        self._energy = EnergyProbe(self.loaded.energy.meter)
        self._head_bytes = self.loaded.weights.head_bytes(config.head)
        self._num_requests = 0

    def prefill(self, num_tokens: int) -> Work:
        """Compute a prompt alone, up to its first token."""
        request = self._add(num_tokens, max_tokens=1)
        num_steps = 0

        def compute() -> None:
            nonlocal num_steps
            while request.finish_reason is None:
                self._core.step()
                num_steps += 1

        limits, seconds, kernels, energy = self._time(compute)
        num_bytes, macs = self._demand(num_steps, num_tokens, num_steps * num_tokens // 2, 1)
        return Work(num_tokens, num_bytes, macs, seconds, kernels, limits, energy)

    def decode(self, batch: int) -> list[Work]:
        """Decode with a full batch, a step at a time."""
        requests = [self._add(DECODE_PROMPT_TOKENS, _LONG_ENOUGH) for _ in range(batch)]
        while any(request.num_output_tokens == 0 for request in requests):
            self._core.step()
        works = []
        for _ in range(DECODE_STEPS):
            context = sum(request.num_computed_tokens for request in requests)
            limits, seconds, kernels, energy = self._time(self._core.step)
            num_bytes, macs = self._demand(1, batch, context, batch)
            works.append(Work(batch, num_bytes, macs, seconds, kernels, limits, energy))
        for request in requests:
            self._core.abort(request.request_id)
        return works

    def _demand(
        self, num_steps: int, num_tokens: int, num_context: int, num_logits: int
    ) -> tuple[float, float]:
        """Return the bytes to read and the int8 multiply-adds to do."""
        weights, stats = self.loaded.weights, self._core.stats()
        kv_cache_bytes = self._core.footprint.kv_cache_bytes
        kv_token_bytes = kv_cache_bytes / (stats.kv_blocks_total * stats.kv_block_tokens)
        num_bytes = num_steps * weights.ternary_bytes + self._head_bytes
        macs = num_tokens * weights.tensors.num_ternary
        return num_bytes + num_context * kv_token_bytes, macs + num_logits * weights.head.size

    def _time(
        self, work: Callable[[], object]
    ) -> tuple[Limits, float, dict[str, float], WorkEnergy]:
        limits, joules = self.probe.measure(), self._energy.start()
        before, start = dict(self.loaded.program.seconds), time.perf_counter()
        work()
        seconds = time.perf_counter() - start
        after = self.loaded.program.seconds
        kernels = {kind: after[kind] - before.get(kind, 0.0) for kind in after}
        return limits, seconds, kernels, self._energy.end(joules)

    def _add(self, prompt_tokens: int, max_tokens: int) -> Request:
        self._num_requests += 1  # a prompt of its own, so that no prefix is shared
        vocab_size = self.loaded.weights.config.vocab_size
        prompt = [(self._num_requests * 7919 + i * 31) % vocab_size for i in range(prompt_tokens)]
        params = SamplingParams(max_tokens=max_tokens, temperature=0.0)
        request = Request(f"bench-{self._num_requests}", prompt, params)
        self._core.add(request)
        return request
