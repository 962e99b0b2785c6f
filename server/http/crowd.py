"""How many clients may be connected, and what happens when there are more.

Each takes a file descriptor. Where these run out, nobody could connect, not even a health check.
"""

import asyncio
import errno
import logging
import resource
from collections.abc import Collection
from typing import Any

from sterna.server.errors import UnavailableError

RESERVED_FILES = 64  # descriptors for everything but clients: the model, libraries, the log
LEAST_CONNECTIONS = 16
MAX_CONNECTIONS = 65_536  # where descriptors have no limit
QUIET_SECONDS = 60.0  # between two log lines about the same trouble

_log = logging.getLogger(__name__)


def max_connections() -> int:
    """How many fit the process's limit of descriptors."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return min(max(limit - RESERVED_FILES, LEAST_CONNECTIONS), MAX_CONNECTIONS)


def shed(connections: Collection[Any], newest: object) -> bool:
    """Drop the client that has kept us waiting longest; False if we owe each an answer."""
    others = (c for c in connections if c is not newest and c.waiting_since is not None)
    longest = min(others, key=lambda c: c.waiting_since, default=None)
    if longest is not None:
        longest.drop()
    return longest is not None


def full_error() -> UnavailableError:
    """What the newest client is told."""
    message = "There are too many connections. Try again later."
    return UnavailableError(message, code="too_many_connections", headers={"retry-after": "1"})


class AcceptFailures:
    """An event loop's exception handler that tells once a minute that descriptors have run out.

    The loop would write a traceback for each client that it could not accept.
    """

    def __init__(self) -> None:
        self._quiet_until = 0.0

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Handle an exception that nobody has caught."""
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in (errno.EMFILE, errno.ENFILE):
            loop.default_exception_handler(context)
        elif loop.time() >= self._quiet_until:
            self._quiet_until = loop.time() + QUIET_SECONDS
            _log.error("no client can connect: %s: raise ulimit -n", error.strerror)
