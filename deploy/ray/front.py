"""What clients of the cluster reach: reads a request whole, and passes on a replica's response.

It is here because Serve routes an HTTP request before its body is there, and the prefix is in the
body. It computes nothing, so one or two are enough. And when a replica dies, it can say so.
"""

from collections.abc import AsyncIterator

from ray.exceptions import RayActorError, RayError
from ray.serve.exceptions import BackPressureError
from ray.serve.handle import DeploymentHandle, DeploymentResponseGenerator
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from deploy.ray.http_message import HttpRequest, ResponseHead
from sterna.server.dialects.registry import dialect_of
from sterna.server.error_answers import render
from sterna.server.errors import ApiError, BusyError, InvalidRequestError, UnavailableError

RETRY_SECONDS = 1
METRICS_HINT = "Each replica has its own metrics; see metrics_folder in deploy/ray/README.md."


class Front:
    """Forwards to the replicas behind a handle."""

    def __init__(
        self, replicas: DeploymentHandle, max_body_bytes: int, overload_status: int
    ) -> None:
        self._respond = replicas.options(stream=True).respond
        self._max_body_bytes = max_body_bytes
        self._overload_status = overload_status

    async def __call__(self, request: Request) -> Response:
        """The response of a replica, or an error in the dialect of the path."""
        if request.url.path == "/metrics":
            return render(InvalidRequestError(METRICS_HINT, status=404), request.scope)
        try:
            stream = self._respond.remote(await self._read(request))
            head: ResponseHead = await anext(aiter(stream))
        except Exception as error:
            return render(as_api_error(error, self._overload_status), request.scope)
        response = StreamingResponse(_body(stream, head, request.url.path), head.status)
        # Serve's proxy adds the request's id itself.
        response.raw_headers = [h for h in head.headers if h[0] != b"x-request-id"]
        return response

    async def _read(self, request: Request) -> HttpRequest:
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > self._max_body_bytes:
                message = f"The body is larger than {self._max_body_bytes} bytes."
                raise InvalidRequestError(message, status=413)
        scope = request.scope
        return HttpRequest(
            request.method, scope["path"], scope["query_string"], scope["headers"], bytes(body)
        )


async def _body(
    stream: DeploymentResponseGenerator, head: ResponseHead, path: str
) -> AsyncIterator[bytes]:
    """Pass the pieces on. A replica that dies ends an event stream with an error event."""
    try:
        async for piece in stream:
            yield piece
    except (RayError, RuntimeError) as error:
        if not head.is_event_stream:
            raise  # the length was promised: all that is left is to break the connection
        yield dialect_of(path).events(None).error(as_api_error(error)).encode()
    finally:
        stream.cancel()  # does nothing if it has ended


def as_api_error(error: Exception, overload_status: int = 429) -> ApiError:
    """What a client is told when the replica gave no answer."""
    match error:
        case ApiError():
            return error
        case BackPressureError():
            message = "The cluster's queue is full. Try again later."
            return BusyError(message, RETRY_SECONDS, overload_status)
        case RayActorError():
            return UnavailableError(
                "The replica that served this request has failed.", code="replica_died"
            )
        case _:
            return ApiError("The replica could not answer this request.", code="replica_failed")
