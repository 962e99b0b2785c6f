"""Limits of a request: headers, bytes of the body, and the nesting of its JSON."""

import re

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sterna.server.error_answers import as_api_error, render

MAX_HEADERS = 128
MAX_HEADER_BYTES = 64 << 10  # all names and values
MAX_NESTING = 128  # arrays and objects within each other; no request of the API needs 20
MAX_NODES = 20_000  # arrays and objects in all: some thousand messages with parts and calls


class RequestLimits:
    """Refuses a request that is too large before its whole body is read."""

    def __init__(self, app: ASGIApp, max_body_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, checking its declared size and then what arrives."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif refusal := self._refusal(scope):
            await render(as_api_error(refusal), scope)(scope, receive, send)
        else:
            await self._app(scope, LimitedBody(receive, self._max_body_bytes).receive, send)

    def _refusal(self, scope: Scope) -> HTTPException | None:
        num_header_bytes = sum(len(name) + len(value) for name, value in scope["headers"])
        if len(scope["headers"]) > MAX_HEADERS or num_header_bytes > MAX_HEADER_BYTES:
            limits = f"{MAX_HEADERS} headers, {MAX_HEADER_BYTES} bytes in total"
            message = f"A request may have at most {limits}."
            return HTTPException(431, message)
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdecimal() and int(declared) > self._max_body_bytes:
            return too_large(self._max_body_bytes)
        return None


class LimitedBody:
    """Receives the body of one request, up to the limits of bytes and brackets."""

    def __init__(self, receive: Receive, max_bytes: int) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._num_bytes = 0
        self._shape = JsonShape()

    async def receive(self) -> Message:
        """Return the next message. Raises HTTPException; FastAPI would hide other errors."""
        message = await self._receive()
        body = message.get("body", b"")
        self._num_bytes += len(body)
        if self._num_bytes > self._max_bytes:
            raise too_large(self._max_bytes)
        if body:
            self._shape.read(body)
        if self._shape.depth > MAX_NESTING:
            raise HTTPException(400, f"The body is nested more than {MAX_NESTING} levels deep.")
        if self._shape.num_nodes > MAX_NODES:
            raise HTTPException(400, f"The body contains more than {MAX_NODES} arrays and objects.")
        return message


class JsonShape:
    """Counts the brackets of a JSON text that comes in pieces, without recursion.

    The result for invalid JSON is undefined; the parser refuses that.
    """

    _MARKS = re.compile(rb'["\[\]{}]|\\.?', re.DOTALL)

    def __init__(self) -> None:
        self.depth = 0  # the greatest so far
        self.num_nodes = 0  # arrays and objects so far
        self._level = 0
        self._in_string = False
        self._is_escaped = False  # the last piece ended in a backslash

    def read(self, piece: bytes) -> None:
        """Take the next piece, which is not empty."""
        mark = b""
        for match in self._MARKS.finditer(piece, 1 if self._is_escaped else 0):
            mark = match[0]
            if mark == b'"':
                self._in_string = not self._in_string
            elif not self._in_string:
                opens = mark in b"[{"
                self.num_nodes += opens
                self._level += opens - (mark in b"]}")
                self.depth = max(self.depth, self._level)
        self._is_escaped = mark == b"\\"


def too_large(max_bytes: int) -> HTTPException:
    """Return the error for a body over the limit."""
    return HTTPException(413, f"The body is larger than {max_bytes} bytes.")
