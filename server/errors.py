"""Why did I get this status code? The error tree of the API, and how each error is rendered.

ApiError                     status, type           raised by
|-- InvalidRequestError      400 invalid_request    schemas, tokenizer, routes
|   `-- ConstraintFailedError    the form can't be kept to after all   generation
|-- ModelNotFoundError       404 invalid_request    dependencies
|-- UnauthorizedError        401 authentication     auth: no API key, or none of ours
|-- BusyError                429 rate_limit         admission: the queue is full, see Retry-After
|-- TimedOutError            408 timeout            generation: over --request-timeout
`-- UnavailableError         503 server_error       health: stopping, stalled, engine dead

Not of the tree, but rendered alike, so that every body has the shape of its API: of the engine,
RequestError and ConstraintError 400, EngineDeadError 503, any other EngineError 500; a body that
fits no schema 400; 404, 405, 413 and 431 of the framework and of limits; all else 500.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from engine import ConstraintError, ContextLengthError, EngineDeadError, EngineError, RequestError
from server import messages_error

_log = logging.getLogger(__name__)

MAX_FOUND = 60  # characters of a value that a message quotes
NO_RETRY = {"x-should-retry": "false"}  # the openai client would repeat what cannot succeed


class ApiError(Exception):
    """An answer that is an error: status and the four fields of OpenAI's error object."""

    status = 500
    type = "server_error"

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code
        self.status = status or self.status
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        """The JSON document, in ASCII: a message may quote a client's lone surrogates."""
        fields = {
            "message": self.message, "type": self.type, "param": self.param, "code": self.code
        }  # fmt: skip
        return json.dumps({"error": fields}).encode()


class InvalidRequestError(ApiError):
    """The request cannot be served as it stands."""

    status = 400
    type = "invalid_request_error"


class ConstraintFailedError(InvalidRequestError):
    """The form of an answer turned out, on the way, to allow nothing or to be too complex.

    param: the field that asked for the form, if one did.
    """

    def __init__(self, reason: str, param: str | None = None) -> None:
        message = f"{param}: {reason}." if param else f"{reason}."
        super().__init__(message, param=param, code="constraint_failed")


class ModelNotFoundError(InvalidRequestError):
    """The request names a model that is not served here."""

    status = 404

    def __init__(self, model: str) -> None:
        super().__init__(
            f"The model {model!r} does not exist.", param="model", code="model_not_found"
        )


class UnauthorizedError(ApiError):
    """The request has no API key, or none of ours; which of both is nobody's business."""

    status = 401
    type = "authentication_error"

    def __init__(self) -> None:
        super().__init__(
            "A valid API key is needed: send it as Authorization: Bearer KEY.",
            code="invalid_api_key",
            headers={"www-authenticate": "Bearer"},
        )


class BusyError(ApiError):
    """The queue is full. status: 429, or 503 for load balancers that know no other."""

    type = "rate_limit_error"

    def __init__(self, message: str, retry_after_seconds: int, status: int = 429) -> None:
        headers = {"retry-after": str(retry_after_seconds)}
        super().__init__(message, code="queue_full", status=status, headers=headers)


class TimedOutError(ApiError):
    """The request took too long. A 4xx, and no retry: the same work would take as long again."""

    status = 408
    type = "timeout_error"

    def __init__(self, seconds: float) -> None:
        message = f"The request was not done within {seconds:g} seconds."
        super().__init__(message, code="request_timeout", headers=NO_RETRY)


class UnavailableError(ApiError):
    """The server cannot serve anyone now."""

    status = 503


def as_api_error(error: Exception) -> ApiError:
    """Find the answer to an exception; what is not known becomes a 500 that tells no details."""
    match error:
        case ApiError():
            return error
        case RequestValidationError():
            return _of_validation(error)
        case HTTPException():
            return _of_framework(error)
        case EngineError():
            return _of_engine(error)
        case _:
            return ApiError("The server failed to answer this request.", code="internal_error")


class ErrorResponse(Response):
    """The error in the shape of the API that was called, which shows when it is sent."""

    media_type = "application/json"

    def __init__(self, error: ApiError) -> None:
        super().__init__(error.body(), error.status, error.headers)
        self._error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        if scope["path"].startswith(messages_error.PATH):
            request_id = scope.get("state", {}).get("request_id")
            self.body = messages_error.body(self.status_code, self._error.message, request_id)
            self.headers["content-length"] = str(len(self.body))
        await super().__call__(scope, receive, send)


def render(error: ApiError) -> Response:
    """The error as a response."""
    return ErrorResponse(error)


async def handle(_: Request, error: Exception) -> Response:
    """Exception handler of the app, for all the types of ``install``."""
    answer = as_api_error(error)
    if answer.status >= 500:
        _log.warning("%d: %s", answer.status, answer.message)
    return render(answer)


def install(app: FastAPI) -> None:
    """Render every error that is raised on purpose; the middleware catches the others."""
    for kind in (ApiError, EngineError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, handle)


def _of_engine(error: EngineError) -> ApiError:
    message = str(error)
    match error:
        case ContextLengthError():
            code = "context_length_exceeded"
            return InvalidRequestError(message, code=code, headers=NO_RETRY)
        case RequestError():
            return InvalidRequestError(message)
        case ConstraintError():
            return ConstraintFailedError(message)
        case EngineDeadError():
            return UnavailableError(message, code="engine_dead", headers=NO_RETRY)
        case _:
            return ApiError(message, code="generation_failed")


def _of_validation(error: RequestValidationError) -> ApiError:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return InvalidRequestError(f"The body is not valid JSON: {first['ctx']['error']}.")
    param = _json_path(first["loc"][1:])  # the first part says "body"
    if not param:
        return InvalidRequestError("The body must be a JSON object, with its content type.")
    if first["type"] == "extra_forbidden":
        return InvalidRequestError(f"{param} is not supported by this server.", param=param)
    reason = first["msg"].removeprefix("Value error, ")
    if first["type"] != "value_error":  # ours name what they mean
        reason += _found(first["input"])
    return InvalidRequestError(f"{param}: {reason}.", param=param)


def _found(value: object) -> str:
    is_short = value is None or isinstance(value, int | float | str)
    text = json.dumps(value) if is_short else ""
    return f", found {text}" if 0 < len(text) <= MAX_FOUND else ""


def _json_path(location: Sequence[str | int]) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(parts).removeprefix(".")


def _of_framework(error: HTTPException) -> ApiError:
    detail = str(error.detail)
    if error.status_code == HTTPStatus.NOT_FOUND:
        detail = "There is nothing at this URL."
    kind = InvalidRequestError if error.status_code < 500 else ApiError
    return kind(detail, status=error.status_code, headers=error.headers)
