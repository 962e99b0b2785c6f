"""Requests in order of urgency, which the scheduler defines."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from operator import attrgetter

from sterna.engine.requests.request import Request

_rank = attrgetter("rank")


class RankedRequests:
    """A set of requests, sorted by ``rank``, which must not change while they are in it.

    Adding or removing one takes a few comparisons and moves some pointers.
    """

    def __init__(self) -> None:
        self._sorted: list[Request] = []
        self._members: set[Request] = set()

    def __len__(self) -> int:
        return len(self._sorted)

    def __iter__(self) -> Iterator[Request]:
        """Most urgent first. ``pop_last`` may be called meanwhile, and nothing else."""
        return iter(self._sorted)

    def __contains__(self, request: Request) -> bool:
        return request in self._members

    @property
    def first(self) -> Request:
        """The most urgent request; the set must not be empty."""
        return self._sorted[0]

    def add(self, request: Request) -> None:
        """Add a request that is not in the set."""
        insort(self._sorted, request, key=_rank)
        self._members.add(request)

    def discard(self, request: Request) -> None:
        """Remove a request; do nothing if it is not in the set."""
        if request in self._members:
            self._members.remove(request)
            del self._sorted[bisect_left(self._sorted, request.rank, key=_rank)]

    def pop_last(self) -> Request:
        """Remove and return the least urgent request; the set must not be empty."""
        request = self._sorted.pop()
        self._members.remove(request)
        return request
