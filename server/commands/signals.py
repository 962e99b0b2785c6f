"""Handling of SIGTERM until the server is up; then uvicorn takes over."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the process at once, also as process 1 of a container.

    The kernel does not deliver a signal without a handler to process 1, so stopping the container
    would otherwise wait until the model is loaded. Restores the handler. For the main thread only.
    """
    before = signal.signal(signal.SIGTERM, lambda number, _: os._exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
