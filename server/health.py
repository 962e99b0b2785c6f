"""Health of the server, for the health routes and for admission."""

from sterna.engine import AsyncEngine
from sterna.server.errors import NO_RETRY, UnavailableError


class Health:
    """Checks the engine. ``stopping`` is set when the process is asked to stop."""

    def __init__(self, engine: AsyncEngine, stall_seconds: float) -> None:
        self.stopping = False
        self._engine = engine
        self._stall_seconds = stall_seconds

    def check_live(self) -> None:
        """Raise UnavailableError if a step hangs, so that the process is restarted.

        An idle engine does not count as hanging; if it has died, the process exits by itself.
        """
        stalled = self._engine.seconds_since_progress
        if stalled > self._stall_seconds:
            message = f"The engine has not finished a step for {stalled:.0f} seconds."
            raise UnavailableError(message, code="engine_stalled")

    def check_ready(self) -> None:
        """Raise UnavailableError unless new requests can be served."""
        if self.stopping:
            raise stopping_error()
        if not self._engine.is_alive:
            raise UnavailableError("The engine has died.", code="engine_dead", headers=NO_RETRY)
        self.check_live()


def stopping_error() -> UnavailableError:
    """Return the error of requests that arrive or are still open when the server stops.

    The connection is closed, so that the client connects to another server.
    """
    headers = {"connection": "close"}
    return UnavailableError("The server is stopping.", code="stopping", headers=headers)
