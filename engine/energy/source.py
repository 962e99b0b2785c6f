"""The interface of an energy source: counters of joules by domain."""

from collections.abc import Mapping
from typing import Literal, Protocol

Scope = Literal["host", "process"]


class SourceError(Exception):
    """A source cannot be read; the message says why, and the remedy."""


class Source(Protocol):
    """A source of energy figures. Its domains do not overlap, so they may be added up."""

    @property
    def name(self) -> str:
        """Name in metrics and reports: rapl, zeusd, nvml, estimate."""

    @property
    def scope(self) -> Scope:
        """What is covered: the host with all its programs, or only this process."""

    @property
    def detail(self) -> str:
        """Short, constant description of what is read."""

    def read(self) -> Mapping[str, float]:
        """Return the joules of each domain since the first reading. Raises SourceError."""
