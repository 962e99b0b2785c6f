"""Readers of a stream that read nothing for too long.

One timer watches a stream: a time limit on each event takes as long as making the event.
"""

import asyncio
from collections.abc import Callable

from starlette.types import Message, Send


class SendWatch:
    """Sends, and calls ``on_stuck`` once when something has not been sent for ``seconds``."""

    def __init__(self, send: Send, seconds: float, on_stuck: Callable[[], object]) -> None:
        self._send = send
        self._seconds = seconds
        self._on_stuck = on_stuck
        self._loop = asyncio.get_running_loop()
        self._since: float | None = None  # when what is being sent was begun
        self._timer = self._loop.call_later(seconds, self._look)

    async def send(self, message: Message) -> None:
        """Send a message, however long it takes."""
        if self._since is None:
            self._since = self._loop.time()
        await self._send(message)
        self._since = None

    def close(self) -> None:
        """Watch no more."""
        self._timer.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        due = (now if self._since is None else self._since) + self._seconds
        if due <= now:
            self._on_stuck()
        else:
            self._timer = self._loop.call_at(due, self._look)
