"""The interface of what can be read for energy: counters of joules, by domain."""

from collections.abc import Mapping
from typing import Literal, Protocol

Scope = Literal["host", "process"]


class SourceError(Exception):
    """A source can't be read; the message says why, and what would help."""


class Source(Protocol):
    """One way to know the energy. Domains of one source never overlap, so they may be added."""

    @property
    def name(self) -> str:
        """Name in metrics and reports: rapl, zeusd, nvml, estimate."""

    @property
    def scope(self) -> Scope:
        """Whose energy it is: host, with all that runs there, or this process's alone."""

    @property
    def detail(self) -> str:
        """What is read, in a few words that do not change."""

    def read(self) -> Mapping[str, float]:
        """Return the joules of each domain since the first reading. Raises SourceError."""
