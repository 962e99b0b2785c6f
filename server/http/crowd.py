"""Limit on connections, which take a file descriptor each.

Without it, descriptors would run out, and nobody could connect, not even for a health check.
"""

import asyncio
import errno
import logging
import resource
from collections.abc import Collection
from typing import Any

from sterna.server.errors import UnavailableError

RESERVED_FILES = 64  # descriptors for everything but clients
LEAST_CONNECTIONS = 16
MAX_CONNECTIONS = 65_536  # where descriptors are unlimited
QUIET_SECONDS = 60.0  # between two log lines about failures to accept

_log = logging.getLogger(__name__)


def max_connections() -> int:
    """Return how many connections fit the process's limit of descriptors."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return min(max(limit - RESERVED_FILES, LEAST_CONNECTIONS), MAX_CONNECTIONS)


def shed(connections: Collection[Any], newest: object) -> bool:
    """Disconnect the client that has been idle longest; False if none is idle."""
    others = (c for c in connections if c is not newest and c.waiting_since is not None)
    longest = min(others, key=lambda c: c.waiting_since, default=None)
    if longest is not None:
        longest.drop()
    return longest is not None


def full_error() -> UnavailableError:
    """Return the error for a client that finds no room."""
    message = "There are too many connections. Try again later."
    return UnavailableError(message, code="too_many_connections", headers={"retry-after": "1"})


class AcceptFailures:
    """Exception handler of an event loop that logs once a minute that descriptors have run out.

    The default handler logs a traceback for each client that could not be accepted.
    """

    def __init__(self) -> None:
        self._quiet_until = 0.0

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Handle an uncaught exception."""
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in (errno.EMFILE, errno.ENFILE):
            loop.default_exception_handler(context)
        elif loop.time() >= self._quiet_until:
            self._quiet_until = loop.time() + QUIET_SECONDS
            _log.error("no client can connect: %s: raise ulimit -n", error.strerror)
