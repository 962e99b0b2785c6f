"""Power: joules divided by a long enough time."""

from collections import defaultdict
from collections.abc import Hashable, Mapping


class PowerWindow:
    """Adds up readings until they span ``min_seconds``; then they make the power of that time.

    Counters step about once in a millisecond, so the power of a shorter time means nothing.
    """

    def __init__(self, min_seconds: float) -> None:
        self.watts: Mapping[Hashable, float] = {}
        self._min_seconds = min_seconds
        self._seconds = 0.0
        self._joules: defaultdict[Hashable, float] = defaultdict(float)

    def add(self, key: Hashable, joules: float) -> None:
        """Add what a counter has grown by."""
        self._joules[key] += joules

    def end(self, seconds: float) -> None:
        """Note that the readings added so far span so many seconds more."""
        self._seconds += seconds
        if self._seconds <= 0 or self._seconds < self._min_seconds:
            return
        self.watts = {key: joules / self._seconds for key, joules in self._joules.items()}
        self._seconds = 0.0
        self._joules.clear()
