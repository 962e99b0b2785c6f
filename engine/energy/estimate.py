"""An estimate from the processor's thermal design power: for where nothing can be read.

``watts = idle + (tdp - idle) * used``, where ``used`` is the share of the machine's processor time
that this process had. It knows nothing of the memory, of frequencies or of what the instructions
were, and is made only where someone states the design power.
"""

import os
import time
from collections.abc import Callable, Mapping
from typing import Final

from sterna.engine.energy.source import Scope


class EstimateSource:
    """Integrates the formula. Watts are of all processors of the machine together.

    wall_clock, cpu_clock: seconds, of the world and of this process on all processors.
    """

    name: Final = "estimate"
    scope: Final[Scope] = "process"

    def __init__(
        self,
        tdp_watts: float,
        idle_watts: float = 0.0,
        num_cpus: int | None = None,
        wall_clock: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.process_time,
    ) -> None:
        self.detail: Final = f"estimated: CPU time x TDP of {tdp_watts:g} W, idle {idle_watts:g} W"
        self._idle_watts = idle_watts
        self._watts_per_cpu = (tdp_watts - idle_watts) / (num_cpus or os.cpu_count() or 1)
        self._wall_clock = wall_clock
        self._cpu_clock = cpu_clock
        self._start = wall_clock(), cpu_clock()

    def read(self) -> Mapping[str, float]:
        """See ``Source``."""
        wall_seconds = self._wall_clock() - self._start[0]
        cpu_seconds = self._cpu_clock() - self._start[1]
        joules = self._idle_watts * wall_seconds + self._watts_per_cpu * cpu_seconds
        return {"package": joules}
