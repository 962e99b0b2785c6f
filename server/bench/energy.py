"""Energy of a load, from a server's own metrics before and after it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

UNAVAILABLE: Final = "unavailable"
_JOULES: Final = "sterna:energy_joules_total"
_INFO: Final = "sterna:energy_source_info"
_NOT_THE_PROCESSOR: Final = "gpu"  # the engine does not compute there


@dataclass(frozen=True, slots=True)
class EnergyReading:
    """Joules by source since the server started; detail: the state of its sources."""

    joules: Mapping[str, float]
    detail: str


@dataclass(frozen=True, slots=True)
class LoadEnergy:
    """Joules of the processor and its memory during a load; None if nothing is measured."""

    joules: float | None = None
    source: str = UNAVAILABLE

    def __add__(self, other: "LoadEnergy") -> "LoadEnergy":
        """Return the sum, if both have the same source."""
        if self.joules is None or other.joules is None or self.source != other.source:
            return LoadEnergy()
        return LoadEnergy(self.joules + other.joules, self.source)


def energy_between(before: EnergyReading, after: EnergyReading) -> LoadEnergy:
    """Return the energy between two readings; none without a source, or if it changed."""
    grown = {
        source: joules - before.joules.get(source, 0.0) for source, joules in after.joules.items()
    }
    moved = [source for source, joules in grown.items() if joules > 0]
    if len(moved) != 1 or moved[0] not in before.joules:
        return LoadEnergy()
    return LoadEnergy(grown[moved[0]], moved[0])


async def read_energy(client: httpx.AsyncClient, base_url: str) -> EnergyReading:
    """Read a server's counters; missing counters or metrics are not an error."""
    try:
        response = await client.get(f"{base_url}/metrics")
        return _parse(response.raise_for_status().text)
    except (httpx.HTTPError, ValueError):
        return EnergyReading({}, "the server's /metrics could not be read")


def _parse(text: str) -> EnergyReading:
    joules: defaultdict[str, float] = defaultdict(float)
    details = []
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = sample.labels
            if sample.name == _JOULES and labels["domain"] != _NOT_THE_PROCESSOR:
                joules[labels["source"]] += sample.value
            elif sample.name == _INFO:
                details.append("{source}: {status}: {detail}".format_map(labels))
    return EnergyReading(
        joules, "; ".join(details) or "the server's /metrics has no energy metrics"
    )
