"""Lets a grammar be compiled in another process first: one that would end the server ends that.

llguidance is in a language whose stack, once it overflows, takes the process with it. A grammar
that has survived there is compiled here, on a stack as large.
"""

import hashlib
import logging
import threading
from typing import Final

from sterna.server.constraints.trial_worker import TrialWorker

MAX_REMEMBERED: Final = 10_000  # grammars that have survived: some 100 bytes of each

_log = logging.getLogger(__name__)


class Trials:
    """Workers to try grammars in, as many as there are threads that do. None before the first."""

    def __init__(self, stack_bytes: int) -> None:
        self._stack_bytes = stack_bytes
        self._lock = threading.Lock()
        self._idle: list[TrialWorker] = []
        self._is_stopped = False
        self._survived = dict[bytes, None]()  # oldest first

    def check(self, grammar: str, seconds: float) -> None:
        """Return if a process can compile it. Takes milliseconds for each that is new; blocks.

        Raises ValueError if the process ended, TimeoutError if it took too long.
        """
        digest = hashlib.blake2b(grammar.encode(), digest_size=16).digest()
        if digest not in self._survived:
            self._try(grammar, seconds)
            self._remember(digest)

    def stop(self) -> None:
        """End those that are idle, and those at work as soon as they are."""
        with self._lock:
            self._is_stopped = True
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.end()

    def _try(self, grammar: str, seconds: float) -> None:
        worker = self._take(seconds)
        try:
            worker.compile(grammar, seconds)
        except EOFError:
            _log.warning("a grammar ended the process that tried it, exit code %d", worker.end())
            reason = "compiling it takes too much memory, or a stack without end: make it simpler"
            raise ValueError(reason) from None
        except BaseException:
            worker.end()
            raise
        self._give_back(worker)

    def _take(self, seconds: float) -> TrialWorker:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return TrialWorker(self._stack_bytes, seconds)

    def _give_back(self, worker: TrialWorker) -> None:
        with self._lock:
            if not self._is_stopped:
                self._idle.append(worker)
                return
        worker.end()

    def _remember(self, digest: bytes) -> None:
        with self._lock:
            self._survived[digest] = None
            if len(self._survived) > MAX_REMEMBERED:
                del self._survived[next(iter(self._survived))]
