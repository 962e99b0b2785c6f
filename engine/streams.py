"""Queues of tokens for their readers, one per unfinished request."""

import asyncio
from collections.abc import Sequence

from sterna.engine.errors import EngineDeadError, EngineError, RequestError
from sterna.engine.requests.outputs import RequestFailed, TokenOutput

Stream = asyncio.Queue[TokenOutput | EngineError]
"""The outputs of one request that have not been read; an error is the last."""


class Streams:
    """Open streams by request id. Only the event loop may use them.

    A slow reader delays nobody: its stream keeps unread tokens, at most max_tokens small records.
    """

    def __init__(self) -> None:
        self._open: dict[str, Stream] = {}

    def open(self, request_id: str) -> Stream:
        """Open the stream of a new request. Raises RequestError if the id is in use."""
        if request_id in self._open:
            raise RequestError(f"request id {request_id!r} is in use")
        stream = self._open[request_id] = Stream()
        return stream

    def close(self, request_id: str, stream: Stream) -> bool:
        """Remove a stream that is no longer read. Returns False if it had ended."""
        is_open = self._open.get(request_id) is stream
        if is_open:
            del self._open[request_id]
        return is_open

    def dispatch(self, outputs: Sequence[TokenOutput | RequestFailed]) -> None:
        """Put the outputs of a step into their streams; drop those of removed streams."""
        for output in outputs:
            if (stream := self._open.get(output.request_id)) is None:
                continue
            if isinstance(output, RequestFailed):
                stream.put_nowait(output.error)
                is_last = True
            else:
                stream.put_nowait(output)
                is_last = output.finish_reason is not None
            if is_last:
                del self._open[output.request_id]

    def fail_all(self, reason: str) -> None:
        """End every stream with EngineDeadError."""
        for stream in self._open.values():
            stream.put_nowait(EngineDeadError(reason))
        self._open.clear()
