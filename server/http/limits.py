"""How much of a request is let in: headers, bytes of the body, and the shape of its JSON."""

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
    """Refuses what is too large, before all of its body is read."""

    def __init__(self, app: ASGIApp, max_body_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request: by what it declares, or else by what arrives."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif refusal := self._refusal(scope):
            await render(as_api_error(refusal), scope)(scope, receive, send)
        else:
            await self._app(scope, LimitedBody(receive, self._max_body_bytes).receive, send)

    def _refusal(self, scope: Scope) -> HTTPException | None:
        num_header_bytes = sum(len(name) + len(value) for name, value in scope["headers"])
        if len(scope["headers"]) > MAX_HEADERS or num_header_bytes > MAX_HEADER_BYTES:
            message = f"There may be {MAX_HEADERS} headers, of {MAX_HEADER_BYTES} bytes in all."
            return HTTPException(431, message)
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdecimal() and int(declared) > self._max_body_bytes:
            return too_large(self._max_body_bytes)
        return None


class LimitedBody:
    """The messages of one request, until there are too many bytes or brackets in them."""

    def __init__(self, receive: Receive, max_bytes: int) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._num_bytes = 0
        self._shape = JsonShape()

    async def receive(self) -> Message:
        """The next message. Raises HTTPException: no other error gets through the framework."""
        message = await self._receive()
        body = message.get("body", b"")
        self._num_bytes += len(body)
        if self._num_bytes > self._max_bytes:
            raise too_large(self._max_bytes)
        if body:
            self._shape.read(body)
        if self._shape.depth > MAX_NESTING:
            raise HTTPException(400, f"The body nests deeper than {MAX_NESTING} levels.")
        if self._shape.num_nodes > MAX_NODES:
            raise HTTPException(400, f"The body has more than {MAX_NODES} arrays and objects.")
        return message


class JsonShape:
    """Follows the brackets of a JSON text that comes in pieces. Needs no stack, so none overflows.

    Of a text that is no JSON it may say anything; the parser refuses that.
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
    """The error of a body over the limit."""
    return HTTPException(413, f"The body must not exceed {max_bytes} bytes.")
