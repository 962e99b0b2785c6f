"""Work since the last reading: tokens computed for each request, and seconds with work.

The engine's thread writes and the meter's thread reads; both hold the lock briefly.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from time import monotonic

from sterna.engine.requests.batch import BatchEntry
from sterna.engine.requests.request import EnergyShare


@dataclass(frozen=True, slots=True)
class Period:
    """What happened between two readings."""

    seconds: float
    busy_seconds: float  # of them, with work
    tokens: Mapping[EnergyShare, int]

    @property
    def busy_part(self) -> float:
        """0 to 1."""
        return self.busy_seconds / self.seconds if self.seconds else 0.0


class Ledger:
    """Collects one period at a time."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._tokens: defaultdict[EnergyShare, int] = defaultdict(int)
        self._began_at = self._changed_at = clock()
        self._is_busy = False
        self._busy_seconds = 0.0

    def note(self, batch: Sequence[BatchEntry]) -> None:
        """Record a step that has ended."""
        with self._lock:
            for entry in batch:
                self._tokens[entry.request.energy] += entry.num_tokens

    def note_work(self, is_busy: bool) -> bool:
        """Record whether there is work from now on. Returns whether that has changed."""
        if is_busy == self._is_busy:  # only the engine's thread writes it
            return False
        with self._lock:
            self._add_busy_seconds()
            self._is_busy = is_busy
        return True

    def take(self) -> Period:
        """End the period, and begin the next."""
        with self._lock:
            now = self._add_busy_seconds()
            period = Period(now - self._began_at, self._busy_seconds, self._tokens)
            self._began_at, self._busy_seconds = now, 0.0
            self._tokens = defaultdict(int)
        return period

    def _add_busy_seconds(self) -> float:
        now = self._clock()
        if self._is_busy:
            self._busy_seconds += now - self._changed_at
        self._changed_at = now
        return now
