"""Is this server fit for work? One answer for the health routes and for the front door."""

from sterna.engine import AsyncEngine
from sterna.server.errors import NO_RETRY, UnavailableError


class Health:
    """Judges the engine. ``stopping`` is set when the process was asked to end."""

    def __init__(self, engine: AsyncEngine, stall_seconds: float) -> None:
        self.stopping = False
        self._engine = engine
        self._stall_seconds = stall_seconds

    def check_live(self) -> None:
        """Raise UnavailableError when a step hangs, which only a restart ends.

        An idle engine never hangs; with a dead one, the process ends by itself.
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
    """What a request gets that comes, or is still open, when the server ends.

    The connection is closed, so that the client's next one leads it to another server.
    """
    headers = {"connection": "close"}
    return UnavailableError("The server is stopping.", code="stopping", headers=headers)
