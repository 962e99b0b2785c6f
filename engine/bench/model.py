"""``sterna bench model``: the engine without HTTP, against what the machine's limits allow.

The limit of a step is the longer of two times: all bytes that it reads over the read bandwidth,
and all multiply-adds over the peak rate of those in int8, which a bf16 head's never reach; both
are probed beside each measurement. Bytes are the ternary weights, the head, and the keys and
values of the context.
"""

from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final

from sterna.engine.bench.energy import joules_per_token
from sterna.engine.bench.stepper import Stepper, Work
from sterna.engine.config import EngineConfig
from sterna.engine.progress import Progress

PREFILL_TOKENS: Final = 512
PREFILL_REPEATS: Final = 3
BATCH_SIZES: Final = (1, 2, 4, 8, 16, 32)
SHOWN_BATCHES: Final = (1, 16)


@dataclass(frozen=True, slots=True)
class Rate:
    """Tokens a second, what the limits would allow, and the one over the other.

    joules_per_token: of the processor and its memory; None where nothing is measured.
    energy_source: where it comes from; the report's ``energy`` says more.
    """

    tok_per_s: float
    roofline_tok_per_s: float
    fraction: float
    joules_per_token: float | None
    energy_source: str


@dataclass(frozen=True, slots=True)
class DecodeRate(Rate):
    """The same for decoding with ``batch`` streams; tokens of all streams together."""

    batch: int


@dataclass(frozen=True, slots=True)
class ModelReport:
    """All figures of one run.

    overhead_ms_per_step: time of a step outside the kernels, by batch. steps: where the time of a
    step goes, in milliseconds: for each of some steps, each kind of kernel, and what is outside.
    """

    model: str
    isa: str
    threads: int
    head: str
    kv_dtype: str
    read_gb_per_s: float
    peak_gmac_per_s: float
    load_seconds: float
    rss_mb: float | None
    energy: str
    prefill: Rate
    decode: list[DecodeRate]
    overhead_ms_per_step: dict[str, float]
    steps: list[dict[str, str | float]]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON takes it."""
        return asdict(self)


def bench_model(config: EngineConfig, progress: Progress | None = None) -> ModelReport:
    """Load and measure. Raises CheckpointError, ConfigError."""
    stepper = Stepper(config, progress)
    prefill = [stepper.prefill(PREFILL_TOKENS) for _ in range(PREFILL_REPEATS)]
    decode: dict[int, list[Work]] = {}
    for index, batch in enumerate(BATCH_SIZES):
        if progress:
            progress("Measuring decode", index, len(BATCH_SIZES))
        decode[batch] = stepper.decode(batch)
    limits = [work.limits for works in decode.values() for work in works]
    program = stepper.loaded.program
    return ModelReport(
        model=config.model_path.name,
        isa=program.isa,
        threads=program.num_threads,
        head=config.head,
        kv_dtype=config.kv_dtype,
        read_gb_per_s=median(limit.bytes_per_second for limit in limits) / 1e9,
        peak_gmac_per_s=median(limit.macs_per_second for limit in limits) / 1e9,
        load_seconds=stepper.load_seconds,
        rss_mb=None if stepper.resident_bytes is None else stepper.resident_bytes / 1e6,
        energy=str(stepper.loaded.energy.meter.report().basis),
        prefill=Rate(*_rate(prefill)),
        decode=[DecodeRate(*_rate(works), batch) for batch, works in decode.items()],
        overhead_ms_per_step={str(batch): _overhead_ms(decode[batch]) for batch in SHOWN_BATCHES},
        steps=[
            *(_step_times(f"decode {batch}", decode[batch]) for batch in SHOWN_BATCHES),
            _step_times(f"prefill {PREFILL_TOKENS}", prefill),
        ],
    )


def _rate(works: list[Work]) -> tuple[float, float, float, float | None, str]:
    """Return the fields of a Rate: medians over the works, fractions work by work.

    Energy is that of all works, because counters step too rarely for a single one.
    """
    tokens = works[0].tokens
    return (
        tokens / median(work.seconds for work in works),
        tokens / median(work.limit_seconds for work in works),
        median(work.limit_seconds / work.seconds for work in works),
        *joules_per_token([work.energy for work in works], sum(work.tokens for work in works)),
    )


def _overhead_ms(works: list[Work]) -> float:
    return 1e3 * median(work.overhead_seconds for work in works)


def _step_times(name: str, works: list[Work]) -> dict[str, str | float]:
    kinds = {kind: 1e3 * median(work.kernels[kind] for work in works) for kind in works[0].kernels}
    total = 1e3 * median(work.seconds for work in works)
    return {"step": name, "total": total, **kinds, "outside": _overhead_ms(works)}
