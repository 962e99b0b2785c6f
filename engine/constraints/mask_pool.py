"""Threads for the masks of constraints. One that hangs is left behind, and holds up nobody twice.

Unlike those of ``concurrent.futures``, these threads never keep the process from ending.
"""

from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Final

from sterna.engine.errors import ConstraintError, GenerationError

NUM_THREADS: Final = 2  # one is not enough where a mask takes as long as a step of the model
GLANCE_SECONDS: Final = 0.5
CLOSED: Final = "the engine has been stopped"
MAX_GLANCES: Final = 10  # five seconds; a grammar's limits let a mask take some tens of ms

Job = Future[Exception | None]  # its result is the error; pending until a thread is free
Work = Callable[[], None]


class MaskPool:
    """Does jobs in order of arrival, and waits for them with patience that ends.

    A thread is taken to hang once ``max_glances`` in a row, ``glance_seconds`` apart and of any
    waiter, have found it at the same job. Glances rather than a clock: where the whole process was
    paused, nobody is to blame. Nothing is started before the first job, and a job that is done in
    time costs no more than its place in a queue.
    """

    def __init__(
        self,
        num_threads: int = NUM_THREADS,
        glance_seconds: float = GLANCE_SECONDS,
        max_glances: int = MAX_GLANCES,
    ) -> None:
        self._num_threads = self._num_to_start = num_threads
        self._glance_seconds = glance_seconds
        self._max_glances = max_glances
        self._jobs: SimpleQueue[tuple[Job, Work] | None] = SimpleQueue()
        self._lock = Lock()  # for all below
        self._running: dict[Job, int] = {}  # glances that each has left
        self._is_closed = False

    def submit(self, work: Work) -> Job:
        """Have work done; from any thread. Fails once the pool is closed."""
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
                return job.result(self._glance_seconds)
            except TimeoutError:
                self._glance()

    def close(self) -> None:
        """Fail what has not begun. Blocks until what has is done, or is taken to hang."""
        with self._lock:
            self._is_closed = True
            running = tuple(self._running)  # no more will
        for _ in range(self._num_threads):
            self._jobs.put(None)
        for job in running:
            self.wait(job)

    def _glance(self) -> None:
        with self._lock:
            for job in tuple(self._running):
                self._running[job] -= 1
                if not self._running[job]:
                    self._leave_behind(job)

    def _leave_behind(self, job: Job) -> None:
        del self._running[job]
        seconds = self._glance_seconds * self._max_glances
        job.set_result(ConstraintError(f"one step took more than {seconds:g} seconds"))
        self._start_thread()

    def _start_thread(self) -> None:
        Thread(target=self._work, name="sterna-masks", daemon=True).start()

    def _work(self) -> None:
        while self._do_next():
            pass

    def _do_next(self) -> bool:
        """Do a job; False when this thread has been left behind, or told to end."""
        if (item := self._jobs.get()) is None:
            return False
        job, work = item
        with self._lock:
            if self._is_closed:
                job.set_result(GenerationError(CLOSED))
                return True
            self._running[job] = self._max_glances
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
