"""Joules of a stretch of work, as the engine's meter has them, with the source of the figure."""

from collections.abc import Sequence
from dataclasses import dataclass

from sterna.engine.energy.meter import EnergyMeter
from sterna.engine.energy.report import EnergyReport


@dataclass(frozen=True, slots=True)
class WorkEnergy:
    """Joules of the processor and its memory; None where nothing is measured."""

    joules: float | None
    source: str  # or "unavailable"


class EnergyProbe:
    """Reads the meter before and after work. The machine's energy: with all that runs beside."""

    def __init__(self, meter: EnergyMeter) -> None:
        self._meter = meter
        meter.ledger.note_work(True)  # a counter that stands still from now on is none

    def start(self) -> EnergyReport:
        """Return where the counters stand."""
        self._meter.sample()
        return self._meter.report()

    def end(self, start: EnergyReport) -> WorkEnergy:
        """Return what was taken since ``start``; not known if another source took over since."""
        now = self.start()
        source, before = now.basis.source, start.basis.source
        if source is None or before not in (None, source):
            return WorkEnergy(None, now.basis.label)
        return WorkEnergy(now.processor_joules - start.processor_joules, source)


def joules_per_token(energies: Sequence[WorkEnergy], num_tokens: int) -> tuple[float | None, str]:
    """Return the joules of several stretches over their tokens, and the source of the figure.

    There is no figure if one stretch was not measured, or if no counter moved in any.
    """
    source = energies[-1].source
    joules = [energy.joules for energy in energies if energy.joules is not None]
    if len(joules) < len(energies) or not sum(joules):
        return None, source
    return sum(joules) / num_tokens, source
