"""SIGTERM before the server is up; from then on, uvicorn has it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the process at once, as it does anyway but for process 1 of a container.

    The kernel keeps from process 1 what it has no handler for: a stop would wait until loading
    ends. Restores the handler. For the main thread only.
    """
    before = signal.signal(signal.SIGTERM, lambda number, _: os._exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
