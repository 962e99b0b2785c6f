"""Deltas that wait for the reader of a stream, so that a slow reader never delays the engine."""

import asyncio

from sterna.server.generation.text_delta import TextDelta


class Outbox:
    """Deltas that the reader has not taken yet: at most one per sequence."""

    def __init__(self, num_sequences: int) -> None:
        self._num_open = num_sequences
        self._deltas: dict[int, TextDelta] = {}
        self._error: Exception | None = None
        self._filled = asyncio.Event()

    def put(self, delta: TextDelta) -> None:
        """Add a delta to those of its sequence."""
        earlier = self._deltas.get(delta.index)
        self._deltas[delta.index] = earlier.merge(delta) if earlier else delta
        self._filled.set()

    def fail(self, error: Exception) -> None:
        """Make ``take`` raise an error once all deltas are taken."""
        self._error = self._error or error
        self._filled.set()

    async def take(self) -> list[TextDelta]:
        """Wait for deltas. Returns an empty list when every sequence has finished."""
        if not self._num_open:
            return []
        await self._filled.wait()
        if self._error and not self._deltas:
            raise self._error
        deltas, self._deltas = list(self._deltas.values()), {}
        self._num_open -= sum(delta.finish_reason is not None for delta in deltas)
        if not self._error:
            self._filled.clear()
        return deltas
