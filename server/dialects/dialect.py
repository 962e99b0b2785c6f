"""What a dialect is: the form in which one API writes its errors and the events of a stream."""

from collections.abc import Mapping
from typing import Protocol

from pydantic import BaseModel
from sse_starlette import ServerSentEvent

from sterna.server.errors import ApiError


class EventForm(Protocol):
    """How the events of one stream are written; it may count them."""

    def chunk(self, chunk: BaseModel) -> ServerSentEvent:
        """One event."""

    def error(self, error: ApiError) -> ServerSentEvent:
        """What a stream that fails ends with."""

    def end(self) -> ServerSentEvent | None:
        """What any other stream ends with, after its last chunk."""

    def ping(self) -> ServerSentEvent:
        """What says nothing, but keeps the connection open."""


class Dialect(Protocol):
    """What differs between APIs and is not in the schemas. Holds no state."""

    @property
    def prefix(self) -> str:
        """How the paths begin that speak it; of several dialects, the longest prefix wins."""

    @property
    def error_schema(self) -> type[BaseModel]:
        """Schema of ``error_body``, for the document."""

    def error_body(self, error: ApiError, request_id: str | None) -> bytes:
        """The JSON document, in ASCII: a message may quote a client's lone surrogates."""

    def headers(self, request_id: str) -> Mapping[str, str]:
        """Headers that every response has beside ``x-request-id``."""

    def events(self, request_id: str | None) -> EventForm:
        """The form of a new stream."""


def event(data: str, name: str | None = None) -> ServerSentEvent:
    """An event whose lines end as ours do."""
    return ServerSentEvent(data, event=name, sep="\n")
