"""Server-sent events: chunks -> lines, a sign of life while nothing comes, and the end."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Protocol

from pydantic import BaseModel
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Message, Receive, Scope, Send

from sterna.server.dialects import anthropic
from sterna.server.error_answers import as_api_error
from sterna.server.errors import ApiError
from sterna.server.http.slow_reader import SendWatch

_log = logging.getLogger(__name__)


class EventForm(Protocol):
    """How an API writes its events."""

    def chunk(self, chunk: BaseModel) -> ServerSentEvent:
        """One event."""

    def error(self, error: ApiError) -> ServerSentEvent:
        """What a stream that fails ends with."""

    def end(self) -> ServerSentEvent | None:
        """What any other stream ends with, after its last chunk."""

    def ping(self) -> ServerSentEvent:
        """What says nothing, but keeps the connection open."""


class DataEvents:
    """OpenAI's: only ``data:``, at last ``[DONE]``. After an error there is no ``[DONE]``."""

    def chunk(self, chunk: BaseModel) -> ServerSentEvent:
        """One event."""
        return _event(chunk.model_dump_json())

    def error(self, error: ApiError) -> ServerSentEvent:
        """The error's body."""
        return _event(error.body().decode())

    def end(self) -> ServerSentEvent:
        """The mark of OpenAI."""
        return _event("[DONE]")

    def ping(self) -> ServerSentEvent:
        """A comment."""
        return ServerSentEvent(comment="ping", sep="\n")


DATA_EVENTS = DataEvents()


class NamedEvents:
    """Anthropic's: each chunk has a ``type``, which is also the event's name."""

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id

    def chunk(self, chunk: BaseModel) -> ServerSentEvent:
        """One event."""
        return _event(chunk.model_dump_json(), getattr(chunk, "type"))  # noqa: B009 (of any chunk)

    def error(self, error: ApiError) -> ServerSentEvent:
        """The error's body."""
        body = anthropic.body(error.status, error.message, self._request_id)
        return _event(body.decode(), "error")

    def end(self) -> None:
        """Nothing: the last chunk says so itself."""

    def ping(self) -> ServerSentEvent:
        """An event of that name."""
        return _event('{"type": "ping"}', "ping")


def event_stream(
    chunks: AsyncGenerator[BaseModel],
    ping_seconds: float,
    send_timeout_seconds: float,
    form: EventForm = DATA_EVENTS,
) -> EventSourceResponse:
    """A response that streams ``chunks``, and closes them when the client leaves.

    A client that reads nothing for ``send_timeout_seconds`` is dropped.
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
        """Respond. Raises SendTimeoutError when the client reads nothing."""
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


def _event(data: str, name: str | None = None) -> ServerSentEvent:
    return ServerSentEvent(data, event=name, sep="\n")
