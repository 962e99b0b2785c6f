"""Threads for the masks of constraints.

One that hangs is abandoned, so it delays others at most once. Unlike those of
``concurrent.futures``, these threads never keep the process from ending.
"""

from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Final

from sterna.engine.errors import ConstraintError, GenerationError

NUM_THREADS: Final = 2  # one is not enough where a mask takes as long as a step of the model
POLL_SECONDS: Final = 0.5
CLOSED: Final = "the engine has been stopped"
MAX_POLLS: Final = 10  # five seconds; a grammar's limits let a mask take some tens of ms

Job = Future[Exception | None]  # its result is the error; pending until a thread is free
Work = Callable[[], None]


class MaskPool:
    """Runs jobs in order of arrival, and stops waiting for those that hang.

    A thread is considered hanging once ``max_polls`` polls in a row, ``poll_seconds`` apart and by
    any waiter, find it at the same job. Polls are counted instead of time, because the process
    may have been paused. No thread is started before the first job, and a job that finishes in time
    costs only its place in a queue.
    """

    def __init__(
        self,
        num_threads: int = NUM_THREADS,
        poll_seconds: float = POLL_SECONDS,
        max_polls: int = MAX_POLLS,
    ) -> None:
        self._num_threads = self._num_to_start = num_threads
        self._poll_seconds = poll_seconds
        self._max_polls = max_polls
        self._jobs: SimpleQueue[tuple[Job, Work] | None] = SimpleQueue()
        self._lock = Lock()  # for all below
        self._running: dict[Job, int] = {}  # polls that each has left
        self._is_closed = False

    def submit(self, work: Work) -> Job:
        """Submit a job; from any thread. It fails once the pool is closed."""
        job = Job()
        with self._lock:
            if self._is_closed:
                job.set_result(GenerationError(CLOSED))
                return job
            self._jobs.put((job, work))
            if self._num_to_start:  # one thread more at each of the first jobs
                self._num_to_start -= 1
                self._start_thread()
        return job

    def wait(self, job: Job) -> Exception | None:
        """Wait until a job is done. Returns what it raised, ConstraintError if it hangs."""
        while True:
            try:
                return job.result(self._poll_seconds)
            except TimeoutError:
                self._poll()

    def close(self) -> None:
        """Fail jobs that have not begun. Blocks until running ones are done or hang."""
        with self._lock:
            self._is_closed = True
            running = tuple(self._running)  # no more will
        for _ in range(self._num_threads):
            self._jobs.put(None)
        for job in running:
            self.wait(job)

    def _poll(self) -> None:
        with self._lock:
            for job in tuple(self._running):
                self._running[job] -= 1
                if not self._running[job]:
                    self._abandon(job)

    def _abandon(self, job: Job) -> None:
        del self._running[job]
        seconds = self._poll_seconds * self._max_polls
        job.set_result(ConstraintError(f"one step took more than {seconds:g} seconds"))
        self._start_thread()

    def _start_thread(self) -> None:
        Thread(target=self._work, name="sterna-masks", daemon=True).start()

    def _work(self) -> None:
        while self._do_next():
            pass

    def _do_next(self) -> bool:
        """Do a job. Returns False if this thread is abandoned or must end."""
        if (item := self._jobs.get()) is None:
            return False
        job, work = item
        with self._lock:
            if self._is_closed:
                job.set_result(GenerationError(CLOSED))
                return True
            self._running[job] = self._max_polls
        error = _error_of(work)
        with self._lock:
            if self._running.pop(job, None) is None:
                return False
            job.set_result(error)
        return True


def _error_of(work: Work) -> Exception | None:
    try:
        work()
    except Exception as error:
        return error
    return None
