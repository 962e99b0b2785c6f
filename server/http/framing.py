"""Size of one message on the wire, and the limits on everything in it that is not the body."""

from sterna.server.http.limits import MAX_HEADER_BYTES, headers_too_large
from sterna.server.http.request_head import MalformedRequestError

MAX_FRAMING_BYTES = 64 << 10  # chunk sizes, extensions, trailers; plus 1 per BODY_BYTES of the body
BODY_BYTES = 16


class Framing:
    """Counts the bytes of one message. A chunk may have one byte, but not a million chunks."""

    def __init__(self) -> None:
        self._num_bytes = 0
        self._num_body_bytes = 0

    def add(self, num_bytes: int) -> None:
        """Count bytes that have arrived."""
        self._num_bytes += num_bytes

    def add_body(self, num_bytes: int) -> None:
        """Count how many of them belong to the body."""
        self._num_body_bytes += num_bytes

    def check(self, *, in_head: bool) -> None:
        """Raise InvalidRequestError for a large head, MalformedRequestError for large framing."""
        if in_head and self._num_bytes > MAX_HEADER_BYTES:
            raise headers_too_large()
        limit = MAX_HEADER_BYTES + MAX_FRAMING_BYTES + self._num_body_bytes // BODY_BYTES
        if self._num_bytes - self._num_body_bytes > limit:
            raise MalformedRequestError("the chunks are too small, or too much is between them")
