"""Joules of a stretch of work, as the engine's meter has them, with the source of the figure."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.energy.meter import EnergyMeter


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

    def start(self) -> float:
        """Return where the counters stand."""
        self._meter.sample()
        return self._meter.report().processor_joules

    def end(self, start: float) -> WorkEnergy:
        """Return what was taken since ``start``."""
        joules = self.start() - start
        basis = self._meter.report().basis
        return WorkEnergy(None if basis.source is None else joules, basis.label)


def joules_per_token(energies: Sequence[WorkEnergy], num_tokens: int) -> tuple[float | None, str]:
    """Return the joules of several stretches over their tokens, and the source of the figure."""
    joules = [energy.joules for energy in energies]
    total = sum(value for value in joules if value is not None)
    return None if None in joules else total / num_tokens, energies[-1].source
