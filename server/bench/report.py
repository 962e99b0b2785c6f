"""Results of a load: throughput, latencies, goodput and errors, and ratios of two servers."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from sterna.server.bench.energy import LoadEnergy
from sterna.server.bench.load import Load
from sterna.server.bench.trace import Trace

_COMPARED: Final = (
    "output_tok_per_s",
    "ttft_ms_p50",
    "ttft_ms_p99",
    "itl_ms_p50",
    "itl_ms_p99",
    "goodput_req_per_s",
)


@dataclass(frozen=True, slots=True)
class Objective:
    """Objectives for goodput: time to first token, and mean time between tokens."""

    ttft_seconds: float = 5.0
    itl_ms: float = 250.0

    def is_met(self, trace: Trace) -> bool:
        """Return whether a request met both objectives."""
        ttft = trace.ttft_seconds
        return (
            trace.error is None
            and ttft is not None
            and ttft <= self.ttft_seconds
            and 1e3 * trace.mean_gap_seconds <= self.itl_ms
        )


@dataclass(frozen=True, slots=True)
class LoadFigures:
    """Measurements of clients; latencies are None without data. itl: between chunks of a stream.

    joules_per_output_token: of the server's processor and memory; None if not measured.
    """

    url: str
    clients: int
    requests: int
    errors: Mapping[str, int]  # by kind
    output_tokens: int
    output_tok_per_s: float
    ttft_ms_p50: float | None
    ttft_ms_p99: float | None
    itl_ms_p50: float | None
    itl_ms_p99: float | None
    goodput_req_per_s: float
    joules_per_output_token: float | None
    energy_source: str

    @classmethod
    def of(
        cls,
        url: str,
        clients: int,
        load: Load,
        objective: Objective,
        energy: LoadEnergy | None = None,
    ) -> "LoadFigures":
        """Summarize a load. Failed requests count only as requests and as errors."""
        energy = energy or LoadEnergy()
        answered = [trace for trace in load.traces if trace.error is None]
        tokens = sum(trace.output_tokens for trace in answered)
        ttfts = [t.ttft_seconds for t in answered if t.ttft_seconds is not None]
        gaps = [gap for trace in answered for gap in trace.gap_seconds]
        return cls(
            url=url,
            clients=clients,
            requests=len(load.traces),
            errors=dict(Counter(trace.error for trace in load.traces if trace.error is not None)),
            output_tokens=tokens,
            output_tok_per_s=tokens / load.seconds,
            ttft_ms_p50=_percentile_ms(ttfts, 0.50),
            ttft_ms_p99=_percentile_ms(ttfts, 0.99),
            itl_ms_p50=_percentile_ms(gaps, 0.50),
            itl_ms_p99=_percentile_ms(gaps, 0.99),
            goodput_req_per_s=sum(map(objective.is_met, answered)) / load.seconds,
            joules_per_output_token=_ratio(energy.joules, tokens),
            energy_source=energy.source,
        )


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """How a server was used, and who counted the tokens of its answers."""

    url: str
    model: str
    path: str
    ignore_eos: bool  # whether it accepted the field
    prompt_tokens: int | None  # of one prompt, as the server counted it
    counted: str  # "usage", or "chunks" where the server doesn't say
    energy: str  # what its metrics say of the sources of energy


@dataclass(frozen=True, slots=True)
class HttpReport:
    """All results of one run. ``url_over_vs``: results of --url divided by those of --vs."""

    prompt_tokens: int
    output_tokens: int
    requests_per_client: int
    turns: int
    objective: Objective
    servers: Sequence[ServerInfo]
    results: Sequence[LoadFigures]
    url_over_vs: Sequence[Mapping[str, float | None]] | None

    def to_dict(self) -> dict[str, Any]:
        """Return the report for JSON."""
        return asdict(self)


def ratios(first: LoadFigures, second: LoadFigures) -> dict[str, float | None]:
    """Divide the results of two servers at the same load; None where impossible."""
    row: dict[str, float | None] = {"clients": first.clients}
    return row | {name: _ratio(getattr(first, name), getattr(second, name)) for name in _COMPARED}


def _ratio(numerator: float | None, denominator: float | None) -> float | None:
    return numerator / denominator if numerator is not None and denominator else None


def _percentile_ms(seconds: Iterable[float], share: float) -> float | None:
    """Return the percentile by nearest rank."""
    ordered = sorted(seconds)
    return 1e3 * ordered[math.ceil(share * len(ordered)) - 1] if ordered else None
