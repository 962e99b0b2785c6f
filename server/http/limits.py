"""Limits of a request: headers, bytes of the body, the nesting of its JSON, and time to arrive.

And for how long: a body must have arrived in time, and counts as long as it is held.
"""

import asyncio
import re

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sterna.server.error_answers import render
from sterna.server.errors import ApiError, InvalidRequestError, ReceiveTimeoutError
from sterna.server.http.admission import Admission, HeldBody

MAX_HEADERS = 128
MAX_HEADER_BYTES = 64 << 10  # all names and values
MAX_NESTING = 128  # arrays and objects within each other; no request of the API needs 20
MAX_NODES = 20_000  # arrays and objects in all: some thousand messages with parts and calls


class RequestLimits:
    """Refuses a request that is too large before its whole body is read."""

    def __init__(
        self, app: ASGIApp, max_body_bytes: int, receive_seconds: float, admission: Admission
    ) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._receive_seconds = receive_seconds
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, checking its declared size and then what arrives."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = declared_bytes(scope)
        if refusal := self._refusal(scope, declared):
            await render(refusal, scope)(scope, receive, send)
            return
        with self._admission.body() as held:
            body = LimitedBody(receive, held, self._max_body_bytes, self._receive_seconds, declared)
            await self._app(scope, body.receive, send)

    def _refusal(self, scope: Scope, declared: int) -> ApiError | None:
        num_header_bytes = sum(len(name) + len(value) for name, value in scope["headers"])
        if len(scope["headers"]) > MAX_HEADERS or num_header_bytes > MAX_HEADER_BYTES:
            return headers_too_large()
        return too_large(self._max_body_bytes) if declared > self._max_body_bytes else None


class LimitedBody:
    """Receives the body of one request, up to the limits of bytes and brackets."""

    def __init__(
        self, receive: Receive, held: HeldBody, max_bytes: int, seconds: float, declared: int
    ) -> None:
        self._receive = receive
        self._held = held
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._declared = declared
        self._num_bytes = 0
        self._shape = JsonShape()
        self._is_read = False
        self._deadline = asyncio.get_running_loop().time() + seconds

    async def receive(self) -> Message:
        """Return the next message. Raises HTTPException; FastAPI would hide other errors."""
        if self._is_read:  # all that can follow is that the client disconnects
            return await self._receive()
        try:
            self._held.hold(self._declared)
            message = await self._next()
            self._check(message.get("body", b""))
        except ApiError as error:
            raise HTTPException(error.status) from error
        self._is_read = not message.get("more_body", False)
        return message

    async def _next(self) -> Message:
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._receive()
        except TimeoutError:
            raise ReceiveTimeoutError(self._seconds) from None

    def _check(self, piece: bytes) -> None:
        self._num_bytes += len(piece)
        if self._num_bytes > self._max_bytes:
            raise too_large(self._max_bytes)
        self._held.hold(max(self._num_bytes, self._declared))
        if piece:
            self._shape.read(piece)
        if self._shape.depth > MAX_NESTING:
            message = f"The body is nested more than {MAX_NESTING} levels deep."
            raise InvalidRequestError(message)
        if self._shape.num_nodes > MAX_NODES:
            message = f"The body contains more than {MAX_NODES} arrays and objects."
            raise InvalidRequestError(message)


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


def declared_bytes(scope: Scope) -> int:
    """Return the length of the body that the head declares; 0 if it declares none."""
    declared = Headers(scope=scope).get("content-length", "0")
    return int(declared) if declared.isdecimal() and len(declared) < 20 else 0


def too_large(max_bytes: int) -> InvalidRequestError:
    """Return the error for a body over the limit."""
    return InvalidRequestError(f"The body is larger than {max_bytes} bytes.", status=413)


def headers_too_large() -> InvalidRequestError:
    """Return the error for a head over the limit."""
    limits = f"{MAX_HEADERS} headers, {MAX_HEADER_BYTES} bytes in total"
    return InvalidRequestError(f"A request may have at most {limits}.", status=431)
