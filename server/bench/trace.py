"""The course of one request: when chunks of its answer arrived, or its error."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean


@dataclass(frozen=True, slots=True)
class Trace:
    """One request. ``error`` is a short description such as ``http 429``, or None."""

    chunk_seconds: Sequence[float] = ()  # since the request was sent, of each chunk that has text
    output_tokens: int = 0
    is_counted_by_server: bool = False  # false: each chunk was taken for a token
    error: str | None = None

    @property
    def ttft_seconds(self) -> float | None:
        """Time to the first text. None if there was none."""
        return self.chunk_seconds[0] if self.chunk_seconds else None

    @property
    def gap_seconds(self) -> list[float]:
        """Times between successive chunks."""
        return [later - earlier for earlier, later in pairwise(self.chunk_seconds)]

    @property
    def mean_gap_seconds(self) -> float:
        """Mean time between chunks; 0 if there are fewer than two."""
        return fmean(self.gap_seconds or [0.0])
