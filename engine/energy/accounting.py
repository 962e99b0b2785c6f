"""The energy of an engine: measured, charged and modelled."""

import asyncio

from sterna.engine.energy.meter import EnergyMeter
from sterna.engine.energy.operations import OperationCounter, Operations
from sterna.engine.energy.report import EnergyBasis
from sterna.engine.energy.sampler import EnergySampler


class EnergyAccounting:
    """The meter with its thread, and the count of operations.

    Both must observe the engine's steps. Without sources, the meter reports that it has none.
    """

    def __init__(
        self,
        meter: EnergyMeter | None = None,
        counter: OperationCounter | None = None,
        period_seconds: float = 1.0,
    ) -> None:
        self.meter = meter or EnergyMeter()
        self.sampler = EnergySampler(self.meter, period_seconds)
        self._counter = counter

    async def settle(self) -> None:
        """Charge requests with their energy up to now, if it is measured."""
        if not self.meter.report().is_blind:
            await asyncio.to_thread(self.meter.sample)

    @property
    def basis(self) -> EnergyBasis:
        """Whose joules requests are charged with, as of the last reading."""
        return self.meter.report().basis

    @property
    def operations(self) -> Operations | None:
        """Multiply-adds since the start; None where the network's are not known."""
        return self._counter.total if self._counter else None
