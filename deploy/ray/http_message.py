"""What front and replicas say to each other: one HTTP request, then the head of its response.

After the head, a response goes on as pieces of its body, plain bytes.
"""

from dataclasses import dataclass

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class HttpRequest:
    """A whole request, as ASGI names its parts. The body is complete."""

    method: str
    path: str
    query: bytes
    headers: Headers
    body: bytes

    def header(self, name: str) -> str:
        """The value of a header, of which the name is in lower case; empty if it is not there."""
        found = (value for key, value in self.headers if key.lower() == name.encode())
        return next(found, b"").decode("latin-1")


@dataclass(frozen=True)
class ResponseHead:
    """Status and headers."""

    status: int
    headers: Headers

    @property
    def is_event_stream(self) -> bool:
        """Whether the body is server-sent events, which can carry an error."""
        return any(
            key.lower() == b"content-type" and value.startswith(b"text/event-stream")
            for key, value in self.headers
        )
