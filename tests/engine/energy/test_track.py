import pytest

from sterna.engine.energy.track import PATIENCE_SECONDS, Track, TrackState
from tests.engine.energy.sources import FakeSource


@pytest.fixture
def source() -> FakeSource:
    return FakeSource(package=100.0)


def state_of(track: Track) -> TrackState:
    return track.state


def test_a_source_counts_from_its_first_reading(source: FakeSource) -> None:
    track = Track(source)
    assert track.advance(0.0) == {}
    assert state_of(track) is TrackState.WAITING
    source.grow(package=2.0)
    assert track.advance(1.0) == {"package": 2.0}
    assert state_of(track) is TrackState.MEASURING


def test_a_counter_that_stands_still_under_load_is_no_measurement(source: FakeSource) -> None:
    track = Track(source)
    track.advance(0.0)
    track.advance(PATIENCE_SECONDS)
    assert state_of(track) is TrackState.WAITING
    track.advance(0.1)
    assert state_of(track) is TrackState.UNAVAILABLE
    assert "do not change under load" in track.detail


def test_standing_still_without_load_proves_nothing(source: FakeSource) -> None:
    track = Track(source)
    for _ in range(100):
        track.advance(0.0)
    assert state_of(track) is TrackState.WAITING


def test_a_source_that_fails_says_why_and_skips_what_it_did_meanwhile(source: FakeSource) -> None:
    track = Track(source)
    track.advance(0.0)
    source.grow(package=1.0)
    track.advance(1.0)
    source.error = "gone"
    assert track.advance(1.0) == {}
    assert (state_of(track), track.detail) == (TrackState.UNAVAILABLE, "gone")
    source.error = None
    source.grow(package=50.0)
    assert track.advance(1.0) == {}
    source.grow(package=3.0)
    assert track.advance(1.0) == {"package": 3.0}
    assert state_of(track) is TrackState.MEASURING


def test_a_counter_that_was_reset_begins_anew(source: FakeSource) -> None:
    track = Track(source)
    track.advance(0.0)
    source.joules = {"package": 1.0}
    assert track.advance(1.0) == {}
    source.grow(package=2.0)
    assert track.advance(1.0) == {"package": 2.0}


def test_a_source_that_breaks_breaks_nothing_else(
    source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> dict[str, float]:
        raise ZeroDivisionError

    monkeypatch.setattr(source, "read", fail)
    track = Track(source)
    assert track.advance(1.0) == {}
    assert (state_of(track), track.detail) == (TrackState.UNAVAILABLE, "ZeroDivisionError()")
