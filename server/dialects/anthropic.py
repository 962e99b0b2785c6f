"""Errors of ``/v1/messages`` in the shape of Anthropic: the status says which type it is."""

import json

PATH = "/v1/messages"

TYPES = {
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


def body(status: int, message: str, request_id: str | None) -> bytes:
    """The JSON document, in ASCII: a message may quote a client's lone surrogates."""
    kind = TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    error = {"type": kind, "message": message}
    return json.dumps({"type": "error", "error": error, "request_id": request_id}).encode()
