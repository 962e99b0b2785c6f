import logging
import threading
import time

import pytest

from sterna.engine.energy.meter import EnergyMeter
from sterna.engine.energy.sampler import EnergySampler
from tests.engine.energy.sources import FakeSource

LIMIT_SECONDS = 60.0
NEVER_SECONDS = 3600.0


class WatchedSource(FakeSource):
    """Tells each reading."""

    def __init__(self) -> None:
        super().__init__()
        self.was_read = threading.Semaphore(0)

    def read(self) -> dict[str, float]:
        self.was_read.release()
        return dict(super().read())


def test_the_meter_is_read_at_intervals_and_at_the_end() -> None:
    source = WatchedSource()
    sampler = EnergySampler(EnergyMeter([source]), period_seconds=0.001)
    sampler.start()
    for _ in range(5):
        assert source.was_read.acquire(timeout=LIMIT_SECONDS)
    sampler.stop()


def test_the_meter_is_read_at_the_end_however_early_that_comes() -> None:
    source = WatchedSource()
    for _ in range(20):
        sampler = EnergySampler(EnergyMeter([source]), NEVER_SECONDS)
        assert source.was_read.acquire(timeout=LIMIT_SECONDS)
        sampler.start()
        sampler.stop()
        assert source.was_read.acquire(timeout=LIMIT_SECONDS)


def test_sources_are_told_of_at_the_start_and_then_no_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    source = WatchedSource()
    source.error = "not here"
    sampler = EnergySampler(EnergyMeter([source]), NEVER_SECONDS)
    sampler.start()
    deadline = time.monotonic() + LIMIT_SECONDS
    while not caplog.messages:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    sampler.stop()
    sampler._thread.join(LIMIT_SECONDS)
    assert caplog.messages == ["energy: rapl unavailable (not here)"]


def test_what_cannot_be_read_is_not_tried_at_every_request() -> None:
    """Short requests come hundreds of times a second, and each would pay for it."""
    source = WatchedSource()
    source.error = "not here"
    sampler = EnergySampler(EnergyMeter([source]), NEVER_SECONDS)
    assert source.was_read.acquire(timeout=LIMIT_SECONDS)
    sampler.start()
    for is_busy in (True, False) * 5:
        sampler.note_work(is_busy)
        time.sleep(0.01)  # for a thread that would read
    sampler.stop()
    assert source.was_read.acquire(timeout=LIMIT_SECONDS)  # the last reading
    assert not source.was_read.acquire(blocking=False)


def test_the_meter_is_read_when_work_begins_and_ends() -> None:
    """So that idle energy and active energy meet at a reading."""
    source = WatchedSource()
    sampler = EnergySampler(EnergyMeter([source]), NEVER_SECONDS)
    assert source.was_read.acquire(timeout=LIMIT_SECONDS)  # where to count from
    sampler.start()
    for is_busy in (True, False):
        sampler.note_work(is_busy)
        assert source.was_read.acquire(timeout=LIMIT_SECONDS)
    sampler.note_work(False)
    sampler.stop()
    assert source.was_read.acquire(timeout=LIMIT_SECONDS)
