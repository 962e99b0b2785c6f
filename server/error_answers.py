"""Converts exceptions to answers: status, headers, and a body in the dialect of the path."""

import json
import logging
from collections.abc import Sequence
from difflib import get_close_matches
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from sterna.engine import (
    ConstraintError,
    ContextLengthError,
    EngineDeadError,
    EngineError,
    RequestError,
)
from sterna.server.dialects.registry import dialect_of
from sterna.server.errors import (
    NO_RETRY,
    ApiError,
    ConstraintFailedError,
    InvalidRequestError,
    UnavailableError,
)

_log = logging.getLogger(__name__)

MAX_PATH = 100  # characters of a wrong URL that are compared with the right ones
MAX_FOUND = 60  # characters of a value that a message quotes
INSTEAD = {  # supported alternatives to fields of other servers and older APIs
    "guided_choice": "structured_outputs.choice",
    "guided_grammar": "structured_outputs.grammar",
    "guided_json": "structured_outputs.json, or response_format",
    "guided_regex": "structured_outputs.regex",
    "function_call": "tool_choice",
    "functions": "tools",
    "best_of": "n",
}
UNREADABLE = "There was an error parsing the body"  # FastAPI, of any error but a JSONDecodeError


def as_api_error(error: Exception) -> ApiError:
    """Convert an exception; an unknown one becomes a 500 without details."""
    match error:
        case ApiError():
            return error
        case RequestValidationError():
            return _of_validation(error)
        case HTTPException(__cause__=ApiError() as meant):  # the framework lets only this through
            return meant
        case HTTPException():
            return _of_framework(error)
        case EngineError():
            return _of_engine(error)
        case _:
            return ApiError(
                "The server could not answer this request; its log has the details.",
                code="internal_error",
            )


def render(error: ApiError, scope: Scope) -> Response:
    """Return the error as a response, in the dialect of the request's path."""
    request_id = scope.get("state", {}).get("request_id")
    body = dialect_of(scope["path"]).error_body(error, request_id)
    return Response(body, error.status, error.headers, media_type="application/json")


async def handle(request: Request, error: Exception) -> Response:
    """Handle an exception of the types in ``install``."""
    answer = as_api_error(error)
    if answer.status >= 500:
        _log.warning("%d: %s", answer.status, answer.message)
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.NOT_FOUND:
        answer = InvalidRequestError(nowhere(request), status=answer.status)
    return render(answer, request.scope)


def nowhere(request: Request) -> str:
    """Return the message for an unknown URL, with the nearest one that exists."""
    path, known = request.scope["path"], request.app.state.paths
    meant = [name for name in known if path.endswith(name) or name.endswith(path)]
    meant += get_close_matches(path[:MAX_PATH], known, 1)
    hint = f" The nearest is {meant[0]}." if meant else ""
    return f"No such endpoint.{hint}"


def install(app: FastAPI) -> None:
    """Install the handler for all expected errors; the middleware catches the others."""
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
        return InvalidRequestError("The body must be a JSON object sent as application/json.")
    if first["type"] == "extra_forbidden":
        remedy = f": use {other}" if (other := INSTEAD.get(param)) else ""
        message = f"{param} is not supported by this server{remedy}."
        return InvalidRequestError(message, param=param)
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
    if detail == UNREADABLE:
        detail = (
            "The body is not valid JSON in UTF-8, or contains a number with thousands of digits."
        )
    kind = InvalidRequestError if error.status_code < 500 else ApiError
    headers = dict(error.headers or {})
    if headers.get("Allow") == "GET":
        headers["Allow"] = "GET, HEAD"
    return kind(detail, status=error.status_code, headers=headers)
