"""One client's connection: uvicorn's, with limits on what arrives before the app sees a request.

Heads have limits of size and time, bodies of framing (``framing.py``). Anything that is not valid
HTTP gets a 400 with the documented body, and nothing after it is read.
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
from sterna.server.http.framing import Framing
from sterna.server.http.request_head import (
    MalformedRequestError,
    check_head,
    origin_form,
    without_upgrade,
)

PIECE_BYTES = 16 << 10  # parsed between two checks of the limits
MAX_PIPELINED = 64  # requests of one client that wait for earlier responses
LINGER_SECONDS = 5.0  # in which a client that is still sending can read its response

_log = logging.getLogger(__name__)


class Connection(HttpToolsProtocol):
    """Reads requests from one client; uvicorn runs the app for each and writes the responses.

    waiting_since: loop time since when the client is to send something; None while the app works.
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
        self._framing = Framing()
        self._pieces: list[bytes] = []  # of the body, not yet passed to the app
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a client; if there are too many, disconnect an idle one, or else refuse."""
        super().connection_made(transport)
        self._outlet = _Outlet(self)
        if len(self.connections) > self._max_connections and not crowd.shed(self.connections, self):
            self._refuse(crowd.full_error())
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop reading, and cancel the timer."""
        super().connection_lost(exc)
        self._is_deaf = True
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived, in pieces, unless the connection is about to end."""
        self._unset_keepalive_if_required()
        for begin in range(0, len(data), PIECE_BYTES):
            if self._is_deaf:
                break
            self._feed(data[begin : begin + PIECE_BYTES])
        self._watch_head()

    def shutdown(self) -> None:
        """Close when the server stops, also if the client is still sending."""
        super().shutdown()
        if self._is_lingering:
            self.transport.close()

    def drop(self) -> None:
        """Close at once."""
        self._is_deaf = True
        self.waiting_since = None
        self.transport.abort()

    def _feed(self, piece: bytes) -> None:
        self._framing.add(len(piece))
        try:
            self.parser.feed_data(piece)
            self._pass_body()
            self._framing.check(in_head=self._in_head)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(piece[upgrade.args[0] :])
        except (httptools.HttpParserError, MalformedRequestError) as error:
            reason = error.__context__ or error  # the parser wraps errors of callbacks
            self._refuse(InvalidRequestError(f"This is not a valid HTTP request: {reason}."))
        except InvalidRequestError as error:
            self._refuse(error)

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Parse the request again without the upgrade, after which the parser reads no body."""
        head = without_upgrade(self.parser.get_method(), self.url, self.headers)
        self.parser = httptools.HttpRequestParser(self)
        self._feed(head + rest)

    # What the parser calls

    def on_message_begin(self) -> None:
        """Start counting."""
        super().on_message_begin()
        self._in_head = self._in_message = True
        self._framing = Framing()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header; trailers, which follow the body, are dropped."""
        if self._in_head:
            super().on_header(name, value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        """Check the head, and start the app."""
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
        """Collect a piece; passing on each would copy those before it every time."""
        self._pieces.append(body)
        self._framing.add_body(len(body))

    def on_message_complete(self) -> None:
        """Pass on the end of the body."""
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
        """Wait for the client, unless it has sent further requests."""
        super().on_response_complete()
        if not self.pipeline:
            self.waiting_since = self.loop.time()

    # How it ends

    def end(self) -> None:
        """Close; while the client is still sending, give it time to read its response first."""
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
        """Respond in place of the app and end; if the app is responding, end after that."""
        self._is_deaf = self._in_message = True
        cycle = self.cycle
        is_busy = cycle is not None and not cycle.response_complete
        if self.pipeline:
            self.drop()
        elif is_busy and (cycle.response_started or not cycle.more_body):
            cycle.keep_alive = False
        else:
            if is_busy:  # the app waits for the rest of a malformed body
                cycle.disconnected = True
                cycle.message_event.set()
            _log.info("refused: %s", error.message, extra={"fields": {"status": error.status}})
            self.transport.write(_response(error))
            self.end()

    def _watch_head(self) -> None:
        """Keep a timer running while a first head, or the rest of a later one, is awaited."""
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
    """What responses are written to; closing it gives the client time to read."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection
        self.write = connection.transport.write  # type: ignore[method-assign]
        self.is_closing = connection.transport.is_closing  # type: ignore[method-assign]

    def close(self) -> None:
        """See ``Connection.end``."""
        self._connection.end()


def _response(error: ApiError) -> bytes:
    """Return a response with the documented error body, as bytes."""
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
