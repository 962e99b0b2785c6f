"""Why did I get this status code? The error tree of the API; ``error_answers`` renders it.

ApiError                     status, type           raised by
|-- InvalidRequestError      400 invalid_request    schemas, tokenizer, routes
|   `-- ConstraintFailedError    the form allows nothing, too complex  generation
|-- ModelNotFoundError       404 invalid_request    dependencies
|-- UnauthorizedError        401 authentication     auth: the API key is missing or wrong
|-- BusyError                429 rate_limit         admission: the queue is full, see Retry-After
|-- TimedOutError            408 timeout            generation: over --request-timeout
|-- ReceiveTimeoutError      408 timeout            over --receive-timeout-seconds
|-- HostNotAllowedError      403 permission         hosts: a name that is not allowed
`-- UnavailableError         503 server_error       health: stopping, stalled, engine dead

Other errors get answers of the same form. From the engine: RequestError and ConstraintError 400,
EngineDeadError 503, any other EngineError 500. An invalid body: 400. From the framework and the
limits: 404, 405, 413 and 431. Everything else: 500.
"""

from collections.abc import Mapping, Sequence

NO_RETRY = {"x-should-retry": "false"}  # the openai client would retry in vain
MAX_SHOWN = 60  # characters of a client's text that a message quotes
MAX_MESSAGE, MAX_PARAM = 500, 200  # characters


class ApiError(Exception):
    """An error answer: its status and the four fields of OpenAI's error object."""

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
        self.message = _cut(message, MAX_MESSAGE)
        self.param = None if param is None else _cut(param, MAX_PARAM)
        self.code = code
        self.status = status or self.status
        self.headers = dict(headers or {})


class InvalidRequestError(ApiError):
    """The request cannot be served as it stands."""

    status = 400
    type = "invalid_request_error"


class ConstraintFailedError(InvalidRequestError):
    """The form of an answer allowed no token, or became too complex during generation.

    param: the field of the request that set the form, if any.
    """

    def __init__(self, reason: str, param: str | None = None) -> None:
        message = f"{param}: {reason}." if param else f"{reason}."
        super().__init__(message, param=param, code="constraint_failed")


class ModelNotFoundError(InvalidRequestError):
    """The request names a model that is not served here."""

    status = 404

    def __init__(self, model: str, served: Sequence[str]) -> None:
        message = f"The model {shown(model)} does not exist. Served here: {', '.join(served)}."
        super().__init__(message, param="model", code="model_not_found")


class UnauthorizedError(ApiError):
    """The request has no valid API key. The answer does not say whether it is missing or wrong."""

    status = 401
    type = "authentication_error"

    def __init__(self) -> None:
        super().__init__(
            "A valid API key is required: send it as Authorization: Bearer KEY.",
            code="invalid_api_key",
            headers={"www-authenticate": "Bearer"},
        )


class BusyError(ApiError):
    """The queue is full. status: 429, or 503 for load balancers that need it."""

    type = "rate_limit_error"

    def __init__(self, message: str, retry_after_seconds: int, status: int = 429) -> None:
        headers = {"retry-after": str(retry_after_seconds)}
        super().__init__(message, code="queue_full", status=status, headers=headers)


class TimedOutError(ApiError):
    """The request took too long. It is a 4xx, because a retry would take as long again."""

    status = 408
    type = "timeout_error"

    def __init__(self, seconds: float) -> None:
        message = f"The request did not finish within {seconds:g} seconds."
        super().__init__(message, code="request_timeout", headers=NO_RETRY)


class ReceiveTimeoutError(ApiError):
    """The request took too long to arrive; it may be retried."""

    status = 408
    type = "timeout_error"

    def __init__(self, seconds: float) -> None:
        message = f"The request did not arrive within {seconds:g} seconds."
        super().__init__(message, code="receive_timeout", headers={"connection": "close"})


class HostNotAllowedError(ApiError):
    """The Host header has a name that this server does not answer to."""

    status = 403
    type = "permission_error"

    def __init__(self, host: str) -> None:
        message = f"The host {shown(host)} is not allowed. Add it to --allowed-hosts."
        super().__init__(message, code="host_not_allowed", headers=NO_RETRY)


class UnavailableError(ApiError):
    """The server cannot serve requests now."""

    status = 503


def shown(text: str) -> str:
    """Return a client's text, quoted on one line and cut."""
    return repr(text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}...")


def _cut(text: str, max_characters: int) -> str:
    line = " ".join(text.split("\n"))
    return line if len(line) <= max_characters else f"{line[:max_characters]}..."
