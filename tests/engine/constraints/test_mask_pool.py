"""Jobs are done in order, on threads that are left behind when they hang; then others take over."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from threading import Event, Thread, current_thread

import pytest

from sterna.engine.constraints.mask_pool import MaskPool
from sterna.engine.errors import ConstraintError, GenerationError

LIMIT_SECONDS = 60.0  # for a test that hangs; none needs a fraction of it
MAX_POLLS = 1000  # the same


class LimitedPool(MaskPool):
    """Raises where the pool itself would wait for ever: for a job that no thread takes."""

    num_polls = 0

    def _poll(self) -> None:
        self.num_polls += 1
        assert self.num_polls < MAX_POLLS, "no thread takes the job"
        super()._poll()


@pytest.fixture
def gate() -> Iterator[Event]:
    """Lets go at the end of the test whatever waits for it."""
    gate = Event()
    yield gate
    gate.set()


def hang_at(gate: Event, started: Event) -> Callable[[], None]:
    def hang() -> None:
        started.set()
        gate.wait()

    return hang


def test_what_work_raises_is_told() -> None:
    error = ValueError("no")

    def fail() -> None:
        raise error

    with closing(LimitedPool()) as pool:
        jobs = [pool.submit(fail), pool.submit(lambda: None)]
        assert [pool.wait(job) for job in jobs] == [error, None]


def test_no_thread_is_started_before_there_is_work() -> None:
    before = set(threading.enumerate())
    with closing(MaskPool()):
        assert set(threading.enumerate()) <= before


def test_no_more_threads_are_started_than_allowed(gate: Event) -> None:
    before = set(threading.enumerate())
    with closing(LimitedPool(2, 0.05, 20)) as pool:
        for _ in range(5):
            pool.submit(hang_at(gate, Event()))
        assert len(set(threading.enumerate()) - before) == 2
        gate.set()


def test_slow_work_is_waited_for(gate: Event) -> None:
    """As long as it takes no more than all polls together, and however many wait."""
    with closing(MaskPool(1, 0.001, 10**9)) as pool:
        slow = pool.submit(hang_at(gate, Event()))
        behind = pool.submit(lambda: None)
        for _ in range(20):
            pool._poll()
        gate.set()
        assert pool.wait(behind) is None
        assert pool.wait(slow) is None


@pytest.mark.parametrize("num_hanging", [1, 2, 5])
def test_what_hangs_is_given_up_and_holds_up_nobody(gate: Event, num_hanging: int) -> None:
    """Though more hang than there are threads."""
    started = [Event() for _ in range(num_hanging)]
    with closing(LimitedPool(2, 0.05, 20)) as pool:
        hanging = [pool.submit(hang_at(gate, event)) for event in started]
        others = [pool.submit(lambda: None) for _ in range(8)]
        assert [pool.wait(job) for job in others] == [None] * 8
        for job in hanging:
            error = pool.wait(job)
            assert isinstance(error, ConstraintError)
            assert "more than 1 second" in str(error)
        assert all(event.is_set() for event in started)
        assert pool.wait(pool.submit(lambda: None)) is None


def test_thread_that_comes_back_after_all_ends(gate: Event) -> None:
    """Else there would be more than there should be."""
    threads: list[Thread] = []

    def hang() -> None:
        threads.append(current_thread())
        gate.wait()

    with closing(LimitedPool(1, 0.05, 20)) as pool:
        assert isinstance(pool.wait(pool.submit(hang)), ConstraintError)
        assert pool.wait(pool.submit(lambda: threads.append(current_thread()))) is None
        gate.set()
        hung, other = threads
        hung.join(LIMIT_SECONDS)
        assert not hung.is_alive()
        assert other.is_alive()


def test_close_waits_for_what_runs_but_not_for_what_hangs(gate: Event) -> None:
    started, done = Event(), Event()
    pool = LimitedPool(2, 0.05, 20)
    hanging = pool.submit(hang_at(gate, started))
    pool.submit(done.set)
    assert started.wait(LIMIT_SECONDS)
    assert done.wait(LIMIT_SECONDS)
    pool.close()
    assert hanging.done()
    assert isinstance(pool.wait(pool.submit(lambda: None)), GenerationError)


def test_close_fails_what_has_not_begun(gate: Event) -> None:
    started = Event()
    pool = LimitedPool(1, 0.05, 20)
    pool.submit(hang_at(gate, started))
    assert started.wait(LIMIT_SECONDS)
    waiting = pool.submit(lambda: None)
    pool.close()
    assert isinstance(pool.wait(waiting), GenerationError)
