"""Gives the framework's plain-text errors, of ranges and CORS, the documented body."""

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sterna.server.error_answers import render
from sterna.server.errors import ApiError, InvalidRequestError

OURS = ("content-type", "content-length")  # headers that describe the body


class DocumentedErrors:
    """Replaces the body of every error that is plain text."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start: Message = {}

        async def send_documented(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_plain_error(message):
                start.update(message)
            elif not start:
                await send(message)
            elif not message.get("more_body", False):
                response = render(_error(start, message.get("body", b"")), scope)
                await response(scope, receive, send)

        await self._app(scope, receive, send_documented)


def _is_plain_error(start: Message) -> bool:
    content_type = Headers(raw=start["headers"]).get("content-type", "")
    return start["status"] >= 400 and content_type.startswith("text/plain")


def _error(start: Message, body: bytes) -> ApiError:
    status: int = start["status"]
    message = body.decode(errors="replace") or f"{HTTPStatus(status).phrase}."
    headers = {k: v for k, v in Headers(raw=start["headers"]).items() if k not in OURS}
    kind = InvalidRequestError if status < 500 else ApiError
    return kind(message, status=status, headers=headers)
