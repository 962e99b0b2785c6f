"""Server-sent events: chunks as lines, keep-alives, and the end of the stream."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

from pydantic import BaseModel
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Message, Receive, Scope, Send

from sterna.server.dialects.dialect import EventForm
from sterna.server.error_answers import as_api_error

_log = logging.getLogger(__name__)


def event_stream(
    chunks: AsyncGenerator[BaseModel],
    form: EventForm,
    ping_seconds: float,
    send_timeout_seconds: float,
) -> EventSourceResponse:
    """Return a response that streams ``chunks``, and closes them when the client disconnects.

    A client that reads nothing for ``send_timeout_seconds`` is disconnected.
    """
    return _EventStream(_events(chunks, form), form, ping_seconds, send_timeout_seconds)


class _EventStream(EventSourceResponse):
    def __init__(
        self,
        events: AsyncIterator[ServerSentEvent],
        form: EventForm,
        ping_seconds: float,
        send_timeout_seconds: float,
    ) -> None:
        super().__init__(events, sep="\n", ping=ping_seconds, ping_message_factory=form.ping)
        self._send_timeout_seconds = send_timeout_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond. Raises SendTimeoutError if the client does not read."""
        try:
            async with asyncio.timeout(None) as limit:
                watch = SendWatch(send, self._send_timeout_seconds, lambda: limit.reschedule(0.0))
                try:
                    await super().__call__(scope, receive, watch.send)
                finally:
                    watch.close()
        except TimeoutError:
            if limit.expired():
                raise SendTimeoutError from None
            raise

    async def _send_with_timeout(self, send: Send, message: Message) -> None:
        await send(message)  # without the scope that the library makes for each event's time limit


async def _events(
    chunks: AsyncGenerator[BaseModel], form: EventForm
) -> AsyncIterator[ServerSentEvent]:
    try:
        async with aclosing(chunks):
            async for chunk in chunks:
                yield form.chunk(chunk)
    except Exception as error:
        answer = as_api_error(error)
        if answer.status >= 500:
            _log.exception("a stream failed")
        yield form.error(answer)
    else:
        if end := form.end():
            yield end


class SendWatch:
    """Sends messages; calls ``on_stuck`` once if sending one takes longer than ``seconds``.

    A single timer watches a stream; a timeout per event costs as much as creating the event.
    """

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
        """Stop watching."""
        self._timer.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        due = (now if self._since is None else self._since) + self._seconds
        if due <= now:
            self._on_stuck()
        else:
            self._timer = self._loop.call_at(due, self._look)
