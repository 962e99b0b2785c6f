"""``sterna bench kernels``: every kernel at the shapes of a model, against the machine's limits.

Runs the whole network of that shape, with as many layers, so that weights come from memory and
not from a cache. Each run is paired with a probe of the limits; figures are medians of the pairs.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final

import numpy as np

from sterna.engine.bench.limits import LimitProbe, Limits
from sterna.engine.bench.network import make_weights
from sterna.engine.kernels import BACKENDS, CACHE_TOKENS, Program, Step
from sterna.engine.load import check_backend
from sterna.engine.machine.cpus import choose_num_threads
from sterna.engine.model.config import ModelConfig
from sterna.engine.model.families.registry import family_of
from sterna.engine.model.families.rotary import attention_shape
from sterna.engine.model.weights import ModelWeights
from sterna.engine.progress import Progress
from sterna.engine.synth.shapes import shape_config

SHAPE: Final = "bitnet-b1.58-2B-4T"
CONTEXT_TOKENS: Final = 512  # in the cache before the measured tokens
TOKEN_COUNTS: Final = (1, 16, 64, 256)
GEMM_TOKENS: Final = 64


@dataclass(frozen=True, slots=True)
class KernelTime:
    """One kernel over all layers of a step of ``tokens`` tokens; fractions are of the limits."""

    kernel: str
    tokens: int
    ms: float
    gb_per_s: float | None = None
    gmac_per_s: float | None = None
    read_fraction: float | None = None
    peak_fraction: float | None = None


@dataclass(frozen=True, slots=True)
class KernelReport:
    """All figures of one run."""

    shape: str
    isa: str
    threads: int
    read_gb_per_s: float
    peak_gmac_per_s: float
    gemv_gb_per_s: float
    gemv_fraction: float
    gemm_gmac_per_s: float
    gemm_fraction: float
    kernels: list[KernelTime]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON takes it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Sample:
    limits: Limits
    seconds: Mapping[str, float]


def bench_kernels(
    num_threads: int | None = None,
    shape: str = SHAPE,
    repeats: int = 7,
    progress: Progress | None = None,
) -> KernelReport:
    """Measure. Raises ConfigError for an unknown shape or instruction set, or too many threads."""
    config = shape_config(shape)
    num_threads = choose_num_threads(num_threads)
    check_backend("native")
    weights = make_weights(config)
    program = _program(config, weights, num_threads)
    probe = LimitProbe(program.isa, program.num_threads)
    samples: dict[int, list[_Sample]] = {}
    for index, tokens in enumerate(TOKEN_COUNTS):
        if progress:
            progress("Measuring kernels", index, len(TOKEN_COUNTS))
        samples[tokens] = _measure(program, probe, _step(tokens), repeats)
    return _report(shape, weights, program, samples)


def _program(config: ModelConfig, weights: ModelWeights, num_threads: int) -> Program:
    blocks = (CONTEXT_TOKENS + max(TOKEN_COUNTS)) // CACHE_TOKENS
    shape = attention_shape(config, blocks * CACHE_TOKENS, blocks)
    program = BACKENDS["native"].make_program(shape, num_threads, max(TOKEN_COUNTS), 1)
    family_of(config).record(program, weights, "int8")
    return program


def _step(tokens: int) -> Step:
    """Tokens of one request, whose context is already in the cache."""
    positions = np.arange(CONTEXT_TOKENS, CONTEXT_TOKENS + tokens, dtype=np.int32)
    blocks = -(-(CONTEXT_TOKENS + tokens) // CACHE_TOKENS)
    return Step(
        token_ids=np.zeros(tokens, np.int32),
        positions=positions,
        slots=positions,
        block_tables=np.arange(blocks, dtype=np.int32)[None],
        query_starts=np.array([0, tokens], np.int32),
        logit_rows=np.array([tokens - 1], np.int32),
    )


def _measure(program: Program, probe: LimitProbe, step: Step, repeats: int) -> list[_Sample]:
    program.run(step)
    samples = []
    for _ in range(repeats):
        limits = probe.measure()
        before = program.seconds
        program.run(step)
        after = program.seconds
        samples.append(_Sample(limits, {kind: after[kind] - before[kind] for kind in after}))
    return samples


def _report(
    shape: str, weights: ModelWeights, program: Program, samples: dict[int, list[_Sample]]
) -> KernelReport:
    gemv = _matmul_time(weights, 1, samples[1])
    gemm = _matmul_time(weights, GEMM_TOKENS, samples[GEMM_TOKENS])
    limits = [sample.limits for group in samples.values() for sample in group]
    return KernelReport(
        shape=shape,
        isa=program.isa,
        threads=program.num_threads,
        read_gb_per_s=median(limit.bytes_per_second for limit in limits) / 1e9,
        peak_gmac_per_s=median(limit.macs_per_second for limit in limits) / 1e9,
        gemv_gb_per_s=gemv.gb_per_s or 0.0,
        gemv_fraction=gemv.read_fraction or 0.0,
        gemm_gmac_per_s=gemm.gmac_per_s or 0.0,
        gemm_fraction=gemm.peak_fraction or 0.0,
        kernels=[
            time for tokens, group in samples.items() for time in _times(weights, tokens, group)
        ],
    )


def _times(weights: ModelWeights, tokens: int, samples: list[_Sample]) -> list[KernelTime]:
    times = [_matmul_time(weights, tokens, samples), _head_time(weights, tokens, samples)]
    for kind in sorted(samples[0].seconds.keys() - {"ternary_matmul", "int8_head"}):
        times.append(KernelTime(kind, tokens, _milliseconds(samples, kind)))
    return times


def _matmul_time(weights: ModelWeights, tokens: int, samples: list[_Sample]) -> KernelTime:
    macs = weights.tensors.num_ternary * tokens
    return _against_limits("ternary_matmul", tokens, samples, weights.ternary_bytes, macs)


def _head_time(weights: ModelWeights, tokens: int, samples: list[_Sample]) -> KernelTime:
    return _against_limits("int8_head", tokens, samples, weights.int8_head.num_bytes, None)


def _against_limits(
    kind: str, tokens: int, samples: list[_Sample], num_bytes: int, macs: int | None
) -> KernelTime:
    seconds = [sample.seconds[kind] for sample in samples]
    pairs = list(zip(samples, seconds, strict=True))
    return KernelTime(
        kind,
        tokens,
        _milliseconds(samples, kind),
        median(num_bytes / s for s in seconds) / 1e9,
        None if macs is None else median(macs / s for s in seconds) / 1e9,
        median(num_bytes / s / sample.limits.bytes_per_second for sample, s in pairs),
        None
        if macs is None
        else median(macs / s / sample.limits.macs_per_second for sample, s in pairs),
    )


def _milliseconds(samples: list[_Sample], kind: str) -> float:
    return 1e3 * median(sample.seconds[kind] for sample in samples)
