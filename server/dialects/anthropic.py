"""Anthropic's dialect, of ``/v1/messages``: the status says which type an error is."""

import json
from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel
from sse_starlette import ServerSentEvent

from sterna.server.dialects.dialect import event
from sterna.server.errors import ApiError
from sterna.server.schemas.error import MessagesErrorBody

TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    503: "overloaded_error",
}


# Error details by field. This one makes a client send the whole conversation again.
DETAILS: Final = {"thread": {"error_code": "thread_not_found"}}


class AnthropicDialect:
    """Errors with a type and a message; named events."""

    prefix = "/v1/messages"
    error_schema = MessagesErrorBody

    def error_body(self, error: ApiError, request_id: str | None) -> bytes:
        """See ``Dialect``."""
        unknown = "invalid_request_error" if error.status < 500 else "api_error"
        fields: dict[str, object] = {
            "type": TYPES.get(error.status, unknown),
            "message": error.message,
        }
        if details := DETAILS.get(error.param or ""):
            fields["details"] = details
        return json.dumps({"type": "error", "error": fields, "request_id": request_id}).encode()

    def headers(self, request_id: str) -> Mapping[str, str]:
        """The id where the anthropic client looks for it."""
        return {"request-id": request_id}

    def events(self, request_id: str | None) -> "NamedEvents":
        """See ``Dialect``."""
        return NamedEvents(request_id)


class NamedEvents:
    """Each chunk has a ``type``, which is also the event's name."""

    def __init__(self, request_id: str | None) -> None:
        self._request_id = request_id

    def chunk(self, chunk: BaseModel) -> ServerSentEvent:
        """One event."""
        return event(chunk.model_dump_json(), getattr(chunk, "type"))  # noqa: B009 (of any chunk)

    def error(self, error: ApiError) -> ServerSentEvent:
        """The error's body."""
        return event(ANTHROPIC.error_body(error, self._request_id).decode(), "error")

    def end(self) -> None:
        """Nothing: the last chunk says so itself."""

    def ping(self) -> ServerSentEvent:
        """An event of that name."""
        return event('{"type": "ping"}', "ping")


ANTHROPIC = AnthropicDialect()
