"""Server-sent events: chunks -> ``data:`` lines, comments while nothing comes, ``[DONE]``."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from pydantic import BaseModel
from sse_starlette import EventSourceResponse, ServerSentEvent

from server.errors import as_api_error

_log = logging.getLogger(__name__)


def event_stream(
    chunks: AsyncGenerator[BaseModel], ping_seconds: float, send_timeout_seconds: float
) -> EventSourceResponse:
    """A response that streams ``chunks``, and closes them when the client leaves.

    A client that reads nothing for ``send_timeout_seconds`` is dropped.
    """
    return EventSourceResponse(
        _events(chunks),
        sep="\n",
        ping=ping_seconds,
        ping_message_factory=lambda: ServerSentEvent(comment="ping", sep="\n"),
        send_timeout=send_timeout_seconds,
    )


async def _events(chunks: AsyncGenerator[BaseModel]) -> AsyncIterator[ServerSentEvent]:
    """After an error there is no ``[DONE]``: the stream ends with the error's body."""
    try:
        async with aclosing(chunks):
            async for chunk in chunks:
                yield _event(chunk.model_dump_json())
    except Exception as error:
        _log.exception("a stream failed")
        yield _event(as_api_error(error).body().decode())
    else:
        yield _event("[DONE]")


def _event(data: str) -> ServerSentEvent:
    return ServerSentEvent(data, sep="\n")
