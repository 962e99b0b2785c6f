"""One client's connection: uvicorn's, with bounds on what arrives before the app can judge it.

A head may have ``MAX_HEADER_BYTES`` and ``receive_seconds``. What frames a body (sizes and
extensions of chunks, trailers) is bounded too: a byte may be sent as a chunk of its own, but not
a million of them. What isn't HTTP gets a 400 of the documented form, and nothing after it is read.
"""

import asyncio
import logging
from typing import Any

import httptools
import uvicorn
from starlette.datastructures import Headers
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from sterna.server.dialects.openai import OPENAI
from sterna.server.errors import ApiError, InvalidRequestError, ReceiveTimeoutError
from sterna.server.http import crowd
from sterna.server.http.limits import MAX_HEADER_BYTES, headers_too_large
from sterna.server.http.request_head import (
    MalformedRequestError,
    check_head,
    origin_form,
    without_upgrade,
)

PIECE_BYTES = 16 << 10  # parsed between two looks at what the bounds say
MAX_FRAMING_BYTES = 64 << 10  # of a body, and one more for each FRAMED_BYTES of it
FRAMED_BYTES = 16
MAX_PIPELINED = 64  # requests that wait for the answers to those before them
LINGER_SECONDS = 5.0  # in which a client that is still sending can read why nobody listens

_log = logging.getLogger(__name__)


class Connection(HttpToolsProtocol):
    """Reads requests from one client, and has uvicorn answer them one after another.

    waiting_since: loop time at which it was last the client's turn; None while we owe an answer.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        receive_seconds: float,
        max_connections: int,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.waiting_since: float | None = self.loop.time()
        self._receive_seconds = receive_seconds
        self._max_connections = max_connections
        self._in_head = True  # or before it
        self._in_message = False
        self._is_deaf = False
        self._is_lingering = False
        self._num_framing_bytes = 0  # of the message so far, its head included
        self._num_body_bytes = 0
        self._pieces: list[bytes] = []  # of the body, not yet given to the app
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Greet a client, unless there are too many who can't be asked to leave instead."""
        super().connection_made(transport)
        self._outlet = _Outlet(self)
        if len(self.connections) > self._max_connections and not crowd.shed(self.connections, self):
            self._refuse(crowd.full_error())
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client."""
        super().connection_lost(exc)
        self._is_deaf = True
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        """Parse what has come, in pieces; nothing more once the connection is to end."""
        self._unset_keepalive_if_required()
        for begin in range(0, len(data), PIECE_BYTES):
            if self._is_deaf:
                break
            self._feed(data[begin : begin + PIECE_BYTES])
        self._watch_head()

    def shutdown(self) -> None:
        """Let no client that is still sending hold up the end of the server."""
        super().shutdown()
        if self._is_lingering:
            self.transport.close()

    def drop(self) -> None:
        """Close at once."""
        self._is_deaf = True
        self.waiting_since = None
        self.transport.abort()

    def _feed(self, piece: bytes) -> None:
        self._num_framing_bytes += len(piece)
        try:
            self.parser.feed_data(piece)
            self._pass_body()
            self._check_sizes()
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(piece[upgrade.args[0] :])
        except (httptools.HttpParserError, MalformedRequestError) as error:
            reason = error.__context__ or error  # a callback's own error is wrapped
            self._refuse(InvalidRequestError(f"This is not an HTTP request: {reason}."))

    def _check_sizes(self) -> None:
        if self._in_head and self._num_framing_bytes > MAX_HEADER_BYTES:
            self._refuse(headers_too_large())
        allowed = MAX_HEADER_BYTES + MAX_FRAMING_BYTES + self._num_body_bytes // FRAMED_BYTES
        if self._num_framing_bytes - self._num_body_bytes > allowed:
            raise MalformedRequestError("too many small chunks, or too much between them")

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Read the request again without it: the parser takes what follows for another protocol."""
        head = without_upgrade(self.parser.get_method(), self.url, self.headers)
        self.parser = httptools.HttpRequestParser(self)
        self._feed(head + rest)

    # What the parser calls

    def on_message_begin(self) -> None:
        """Begin to count."""
        super().on_message_begin()
        self._in_head = self._in_message = True
        self._num_framing_bytes = self._num_body_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; a trailer, which comes after the body, is none."""
        if self._in_head:
            super().on_header(name, value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        """Check the head as a whole, and have it answered."""
        check_head(self.parser.get_method(), self.parser.get_http_version(), self.headers)
        if self.parser.should_upgrade():
            return
        self._in_head = False
        if len(self.pipeline) >= MAX_PIPELINED:
            raise MalformedRequestError(f"more than {MAX_PIPELINED} requests without waiting")
        self.url = origin_form(self.url, self.headers)
        super().on_headers_complete()
        self.cycle.transport = self._outlet

    def on_body(self, body: bytes) -> None:
        """Keep a piece: to pass each on would copy those before it."""
        self._pieces.append(body)
        self._num_body_bytes += len(body)

    def on_message_complete(self) -> None:
        """Now it is our turn."""
        if self.parser.should_upgrade():
            return
        self._pass_body()
        self._in_message = False
        self._in_head = True
        self.waiting_since = None
        super().on_message_complete()

    def _pass_body(self) -> None:
        if self._pieces:
            super().on_body(b"".join(self._pieces))
            self._pieces.clear()

    def on_response_complete(self) -> None:
        """The client's turn again, unless it has asked for more already."""
        super().on_response_complete()
        if not self.pipeline:
            self.waiting_since = self.loop.time()

    # How it ends

    def end(self) -> None:
        """Close, but if the client is still sending, let it read first what it was answered."""
        if not self._in_message:
            self.transport.close()
        elif not self._is_lingering:
            self._is_deaf = self._is_lingering = True
            self._unset_keepalive_if_required()
            self.flow.resume_reading()
            if self.transport.can_write_eof():
                self.transport.write_eof()
            self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _refuse(self, error: ApiError) -> None:
        """Answer in place of the app, and end; or, if it is answering, end once it has."""
        self._is_deaf = self._in_message = True
        cycle = self.cycle
        is_busy = cycle is not None and not cycle.response_complete
        if self.pipeline:
            self.drop()
        elif is_busy and (cycle.response_started or not cycle.more_body):
            cycle.keep_alive = False
        else:
            if is_busy:  # the app awaits the rest of a body that nobody can read
                cycle.disconnected = True
                cycle.message_event.set()
            _log.info("refused: %s", error.message, extra={"fields": {"status": error.status}})
            self.transport.write(_response(error))
            self.end()

    def _watch_head(self) -> None:
        """Have a timer run while a head is awaited that has begun, or that is the first."""
        is_awaited = self._in_head and (self._in_message or self.cycle is None)
        if not is_awaited or self._is_deaf:
            if self._late:
                self._late.cancel()
                self._late = None
        elif self._late is None:
            self._late = self.loop.call_later(self._receive_seconds, self._on_late)

    def _on_late(self) -> None:
        self._late = None
        self._refuse(ReceiveTimeoutError(self._receive_seconds))


class _Outlet(asyncio.Transport):
    """What a response is written to. To close it leaves the client time to read."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection
        self.write = connection.transport.write  # type: ignore[method-assign]
        self.is_closing = connection.transport.is_closing  # type: ignore[method-assign]

    def close(self) -> None:
        """See ``Connection.end``."""
        self._connection.end()


def _response(error: ApiError) -> bytes:
    """An error of the documented form, as it goes over the wire."""
    body = OPENAI.error_body(error, None)
    headers = Headers(
        error.headers
        | {
            "content-type": "application/json",
            "content-length": str(len(body)),
            "connection": "close",
        }
    )
    lines = b"".join(b"%s: %s\r\n" % header for header in headers.raw)
    return STATUS_LINE[error.status] + lines + b"\r\n" + body
