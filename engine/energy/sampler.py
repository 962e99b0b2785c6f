"""The thread that triggers readings: at intervals, and whenever work begins or ends.

If nothing can be read, it retries at intervals only, because failing takes longer than a token.
"""

import logging
from threading import Event, Thread

from sterna.engine.energy.meter import EnergyMeter

logger = logging.getLogger(__name__)


class EnergySampler:
    """Calls ``EnergyMeter.sample`` every ``period_seconds`` from ``start`` to ``stop``."""

    def __init__(self, meter: EnergyMeter, period_seconds: float) -> None:
        self._meter = meter
        self._period_seconds = period_seconds
        self._wake = Event()
        self._is_stopping = False
        self._thread = Thread(target=self._run, name="sterna-energy", daemon=True)

    def start(self) -> None:
        """Start the thread; once."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after a last reading, without waiting for it."""
        self._is_stopping = True
        self._wake.set()

    def note_work(self, is_busy: bool) -> None:
        """Record whether there is work; readings at changes separate idle from active energy."""
        is_new = self._meter.ledger.note_work(is_busy)
        if is_new and not self._meter.report().is_blind:
            self._wake.set()

    def _run(self) -> None:
        told: dict[str, str] = {}
        self._tell_changes(told)  # now, not as the last words of a server that had nothing to do
        is_last = False
        while not is_last:
            self._wake.wait(self._period_seconds)
            self._wake.clear()
            is_last = self._is_stopping
            self._meter.sample()
            self._tell_changes(told)

    def _tell_changes(self, told: dict[str, str]) -> None:
        """Log in one line how sources are doing, each once for each way."""
        changed = [
            source
            for source in self._meter.report().sources
            if told.get(source.source) != source.status
        ]
        told.update({source.source: source.status for source in changed})
        if changed:
            states = (f"{source.source} {source.status} ({source.detail})" for source in changed)
            logger.info("energy: %s", "; ".join(states))
