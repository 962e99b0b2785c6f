"""Follows one source: its growth, and whether it can be trusted."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from sterna.engine.energy.source import Source, SourceError

PATIENCE_SECONDS: Final = 10.0  # of work: a counter that stands still for so long is none


class TrackState(StrEnum):
    """State of a source."""

    WAITING = "waiting"  # it can be read, but has not moved yet
    MEASURING = "measuring"
    UNAVAILABLE = "unavailable"


class Track:
    """Follows a source. A virtual machine often shows counters that stay at zero: no measurement.

    So a source counts from when it has been seen to move, and is given up, until it does, when it
    stands still while there is work.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.state = TrackState.WAITING
        self.detail = source.detail
        self._last: Mapping[str, float] | None = None
        self._still_seconds = 0.0

    def advance(self, busy_seconds: float) -> Mapping[str, float]:
        """Read, and return the joules of each domain since the last reading; empty if unknown.

        busy_seconds: how long there was work since then.
        """
        try:
            now = self.source.read()
        except SourceError as error:
            self._give_up(str(error))
            return {}
        except Exception as error:  # measuring never breaks what is measured
            self._give_up(repr(error))
            return {}
        before, self._last = self._last, now
        if before is None:
            return {}
        grown = {name: now[name] - before[name] for name in now if name in before}
        if any(joules < 0 for joules in grown.values()):  # the counter was reset: begin anew
            return {}
        self._judge(sum(grown.values()), busy_seconds)
        return grown

    def _judge(self, joules: float, busy_seconds: float) -> None:
        if joules > 0:
            self.state, self.detail = TrackState.MEASURING, self.source.detail
            self._still_seconds = 0.0
            return
        self._still_seconds += busy_seconds
        if self._still_seconds > PATIENCE_SECONDS:
            self.state = TrackState.UNAVAILABLE
            self.detail = (
                f"{self.source.detail}: they do not change under load (a virtual machine?)"
            )

    def _give_up(self, reason: str) -> None:
        self.state, self.detail = TrackState.UNAVAILABLE, reason
        self._last = None
