"""The meter's report: joules and watts by domain, and the state of each source."""

from dataclasses import dataclass
from typing import Final

from sterna.engine.energy.source import Scope

UNAVAILABLE: Final = "unavailable"


@dataclass(frozen=True, slots=True)
class DomainEnergy:
    """Energy of one domain (package, dram, gpu) since the start, as one source measured it."""

    domain: str
    source: str
    joules: float
    idle_joules: float  # of them, while there was no work
    watts: float | None  # in the last moments; None: not known


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """State of a source. detail: what it reads, or why it cannot."""

    source: str
    scope: Scope
    status: str  # waiting, measuring, unavailable
    detail: str


@dataclass(frozen=True, slots=True)
class EnergyBasis:
    """The source that requests are charged from; None with the reason if there is none."""

    source: str | None
    detail: str

    @property
    def label(self) -> str:
        """What to print beside a figure."""
        return self.source or UNAVAILABLE

    def __str__(self) -> str:
        """The same with all that is known of it."""
        return f"{self.label}: {self.detail}"


@dataclass(frozen=True, slots=True)
class EnergyReport:
    """A snapshot. Domains that nothing measures are not in it."""

    domains: tuple[DomainEnergy, ...] = ()
    sources: tuple[SourceStatus, ...] = ()
    basis: EnergyBasis = EnergyBasis(None, "no energy source is configured")

    @property
    def is_blind(self) -> bool:
        """Whether there is nothing to read, as of the last try."""
        return all(source.status == UNAVAILABLE for source in self.sources)

    @property
    def processor_joules(self) -> float:
        """Joules of the processor and its memory since the start."""
        return sum(domain.joules for domain in self.domains if domain.domain != "gpu")
