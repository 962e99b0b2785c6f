"""The benchmark runs, at a size that takes no time; its figures are for a quiet machine."""

from benchmarks.scheduling import measure


def test_every_part_is_timed() -> None:
    figures = measure(num_running=8, num_waiting=4)
    assert figures.keys() == {"schedule", "input", "sampling", "update"}
    assert all(milliseconds > 0 for milliseconds in figures.values())
