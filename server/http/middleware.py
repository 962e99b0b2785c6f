"""Middleware for every request: its id, its line in the log, and unexpected errors.

A response that starts before the whole body has been read is the last of its connection. It is
pure ASGI, so that it neither buffers responses nor hides disconnects.
"""

import logging
import re
from collections.abc import Mapping
from time import monotonic
from uuid import uuid4

from sse_starlette.sse import SendTimeoutError
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sterna.server.dialects.registry import dialect_of
from sterna.server.error_answers import as_api_error, render
from sterna.server.generation.request_record import RequestRecord, current_record
from sterna.server.metrics import Metrics

_log = logging.getLogger(__name__)

REQUEST_ID = re.compile(r"[!-~]{1,128}")  # printable ASCII: it comes back in a header
QUIET_ROUTES = (
    "/health", "/health/live", "/health/ready", "/metrics", "/page/{name:path}", "/ping",
)  # fmt: skip


class RequestLog:
    """Gives each request an id, answers unexpected errors with 500, counts and logs the end."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send)
        current_record.set(exchange.record)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except SendTimeoutError:
            _log.warning("client disconnected: it did not read its stream", extra=exchange.extra())
        except Exception as error:
            _log.exception("request failed", extra=exchange.extra())
            if exchange.status is None:
                await render(as_api_error(error), scope)(scope, receive, exchange.send)
        finally:
            self._finish(exchange)

    def _finish(self, exchange: "_Exchange") -> None:
        self._metrics.http.count(exchange.method, exchange.route, exchange.status, exchange.seconds)
        level = logging.DEBUG if exchange.route in QUIET_ROUTES else logging.INFO
        _log.log(level, "request", extra=exchange.extra())


def request_id_of(scope: Scope) -> str:
    """Return the request's own id, or a new one."""
    given = Headers(scope=scope).get("x-request-id", "")
    return given if REQUEST_ID.fullmatch(given) else uuid4().hex


def has_body(scope: Scope) -> bool:
    """Tell whether the head announces a body."""
    headers = Headers(scope=scope)
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


class _Exchange:
    """A request and its response so far."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.request_id = request_id_of(scope)
        scope.setdefault("state", {})["request_id"] = self.request_id
        self.method: str = scope["method"]
        self.status: int | None = None
        self.record = RequestRecord()
        self._scope = scope
        self._receive = receive
        self._send = send
        self._has_unread = has_body(scope)
        self._started_at = monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the request arrived."""
        return monotonic() - self._started_at

    @property
    def route(self) -> str:
        """Pattern of the route; a path chosen by the client is not a safe label."""
        return getattr(self._scope.get("route"), "path", "unknown")

    async def receive(self) -> Message:
        """Receive a message; note whether more of the body follows."""
        message = await self._receive()
        self._has_unread = message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Send a message; add the id to the first."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = self.request_id
            headers.update(dialect_of(self._scope["path"]).headers(self.request_id))
            if self._has_unread:
                headers["connection"] = "close"
        await self._send(message)

    def extra(self) -> Mapping[str, object]:
        """Fields of a log record."""
        fields = {
            "request_id": self.request_id,
            "method": self.method,
            "path": self._scope["path"],
            "route": self.route,
            "status": self.status,
            "seconds": round(self.seconds, 4),
        }
        return {"fields": fields | self.record.fields()}
