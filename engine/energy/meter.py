"""The meter reads the sources, adds up their growth, and charges requests with it.

Sources of one group measure the same, best first; only the first readable one is used, so nothing
counts twice. Energy is active in proportion to the time with work between two readings. The active
energy of the processor is divided among the requests by the tokens computed for each since the
last reading; without any token, it is kept for the next reading.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from threading import Lock
from time import monotonic
from typing import Final

from sterna.engine.energy.ledger import Ledger, Period
from sterna.engine.energy.report import DomainEnergy, EnergyBasis, EnergyReport, SourceStatus
from sterna.engine.energy.source import Source
from sterna.engine.energy.track import Track, TrackState

Key = tuple[str, str]  # domain, source


class EnergyMeter:
    """Measures as often as ``sample`` is called, from any thread.

    processor: the sources whose energy requests are charged with. others: each by itself.
    """

    def __init__(
        self,
        processor: Sequence[Source] = (),
        others: Sequence[Source] = (),
        clock: Callable[[], float] = monotonic,
        power_seconds: float = 0.0,
    ) -> None:
        self.ledger: Final = Ledger(clock)
        self._groups = [[Track(s) for s in processor], *([Track(s)] for s in others)]
        self._joules: defaultdict[Key, float] = defaultdict(float)
        self._idle_joules: defaultdict[Key, float] = defaultdict(float)
        self._power = PowerWindow(power_seconds)
        self._uncharged_joules = 0.0
        self._lock = Lock()
        self._report = EnergyReport()
        self.sample()  # where to count from

    def sample(self) -> None:
        """Read all sources, and charge the requests that ran since the last time."""
        with self._lock:
            period = self.ledger.take()
            for index, group in enumerate(self._groups):
                active = self._add(group, period)
                if index == 0:
                    self._charge(active, period)
            self._power.end(period.seconds)
            self._report = self._make_report()

    def report(self) -> EnergyReport:
        """Return what is known as of the last reading; at once, also while sources are read."""
        return self._report

    def _add(self, group: Sequence[Track], period: Period) -> float:
        """Add what a group has grown by. Returns the active part of it."""
        grown = {id(track): track.advance(period.busy_seconds) for track in group}
        track = _chosen(group)
        if track is None or track.state is not TrackState.MEASURING:
            return 0.0
        for domain, joules in grown[id(track)].items():
            key = domain, track.source.name
            if not joules and key not in self._joules:
                continue  # a zone that stays at zero beside one that moves measures nothing
            self._joules[key] += joules
            self._idle_joules[key] += joules * (1 - period.busy_part)
            self._power.add(key, joules)
        return sum(grown[id(track)].values()) * period.busy_part

    def _make_report(self) -> EnergyReport:
        return EnergyReport(
            domains=tuple(
                DomainEnergy(*key, joules, self._idle_joules[key], self._power.watts.get(key))
                for key, joules in self._joules.items()
            ),
            sources=tuple(
                SourceStatus(track.source.name, track.source.scope, track.state, track.detail)
                for group in self._groups
                for track in group
            ),
            basis=_basis(self._groups[0]),
        )

    def _charge(self, joules: float, period: Period) -> None:
        self._uncharged_joules += joules
        num_tokens = sum(period.tokens.values())
        if not num_tokens:
            return
        joules, self._uncharged_joules = self._uncharged_joules, 0.0
        for share, tokens in period.tokens.items():
            share.joules += joules * tokens / num_tokens


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


def _chosen(group: Sequence[Track]) -> Track | None:
    """Return the first that isn't unavailable: while it waits, no worse one takes its place."""
    return next((track for track in group if track.state is not TrackState.UNAVAILABLE), None)


def _basis(group: Sequence[Track]) -> EnergyBasis:
    track = _chosen(group)
    if track is not None and track.state is TrackState.MEASURING:
        return EnergyBasis(track.source.name, track.detail)
    reasons = [f"{track.source.name}: {track.detail} ({track.state})" for track in group]
    return EnergyBasis(None, "; ".join(reasons) or "no energy source is configured")
