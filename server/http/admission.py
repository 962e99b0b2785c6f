"""The bounded queue: how many sequences, and how much text, may be in flight at once.

Bytes and places are reserved before a prompt is rendered or encoded, so that a full server refuses
cheaply, and are held until the response ends. An admitted request is never refused later: a
preempted sequence keeps its place. Bytes are counted rather than tokens, because the body is not
encoded yet; a token of text has about four bytes. They count before the body is received.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil
from time import monotonic

from sterna.server.errors import BusyError, InvalidRequestError

MAX_RETRY_SECONDS = 60  # clients of the OpenAI API ignore longer times


class Admission:
    """Counts places and bytes. It is used only on the event loop, so it needs no lock."""

    def __init__(
        self,
        num_running: int,
        num_waiting: int,
        on_refusal: Callable[[int], object],
        *,
        max_bytes: int,
        busy_status: int = 429,
    ) -> None:
        self.capacity = num_running + num_waiting
        self.num_taken = 0
        self.num_open = 0  # HTTP requests
        self.num_bytes = 0
        self._num_running = num_running
        self._max_bytes = max_bytes
        self._busy_status = busy_status
        self._on_refusal = on_refusal  # called with the number of refused places
        self._released: deque[float] = deque([monotonic()], maxlen=64)  # start of work, releases

    @contextmanager
    def body(self) -> Iterator["HeldBody"]:
        """Yield the count of one body's bytes, 0 at first, and release them at the end."""
        held = HeldBody(self)
        try:
            yield held
        finally:
            self.num_bytes -= held.num_bytes

    @contextmanager
    def open(self, num_bytes: int = 0) -> Iterator["Reservation"]:
        """Yield a reservation without places, and release it at the end."""
        self.num_open += 1
        reservation = Reservation(self, num_bytes)
        try:
            yield reservation
        finally:
            self.num_open -= 1
            self._release(reservation.num_places)

    def hold(self, held: int, more: int) -> None:
        """Count ``more`` bytes of a body that has ``held``. Raises BusyError.

        A body larger than the limit is admitted when there is no other.
        """
        others = self.num_bytes - held
        if others and self.num_bytes + more > self._max_bytes:
            raise self._refusal(1)
        self.num_bytes += more

    def take(self, count: int) -> None:
        """Take all of ``count`` places, or none. Raises BusyError, or InvalidRequestError."""
        if count > self.capacity:
            message = f"{count} sequences were requested, but only {self.capacity} can be queued."
            raise InvalidRequestError(message, param="n")
        if self.num_taken + count > self.capacity:
            raise self._refusal(count)
        if self.num_taken == 0:  # idle time says nothing about the rate
            self._released.clear()
            self._released.append(monotonic())
        self.num_taken += count

    def retry_seconds(self) -> int:
        """Estimate from recent releases when the backlog will be gone: 1 to 60 seconds."""
        backlog = max(self.num_taken - self._num_running, 1)
        seconds_each = (monotonic() - self._released[0]) / len(self._released)
        return min(max(ceil(backlog * seconds_each), 1), MAX_RETRY_SECONDS)

    def _refusal(self, count: int) -> BusyError:
        self._on_refusal(count)
        message = "The queue is full. Try again later."
        return BusyError(message, self.retry_seconds(), self._busy_status)

    def _release(self, count: int) -> None:
        self.num_taken -= count
        self._released.extend([monotonic()] * count)


class HeldBody:
    """The bytes of one body, as declared or as received so far."""

    def __init__(self, admission: Admission) -> None:
        self.num_bytes = 0
        self._admission = admission

    def hold(self, num_bytes: int) -> None:
        """Count this many in total. Raises BusyError."""
        if num_bytes > self.num_bytes:
            self._admission.hold(self.num_bytes, num_bytes - self.num_bytes)
            self.num_bytes = num_bytes


class Reservation:
    """The places of one HTTP request, and how large its body is."""

    def __init__(self, admission: Admission, num_bytes: int) -> None:
        self.num_bytes = num_bytes
        self.num_places = 0
        self._admission = admission

    def take(self, count: int) -> None:
        """Take ``count`` more places. Raises BusyError, or InvalidRequestError."""
        self._admission.take(count)
        self.num_places += count
