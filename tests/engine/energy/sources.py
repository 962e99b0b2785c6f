"""A source that shows what a test lets it show."""

from collections.abc import Mapping

from sterna.engine.energy.source import Scope, SourceError


class FakeSource:
    """Counters by domain; ``error`` makes it unreadable."""

    scope: Scope = "host"

    def __init__(self, name: str = "rapl", **joules: float) -> None:
        self.name = name
        self.detail = f"counters of {name}"
        self.joules = joules or {"package": 0.0}
        self.error: str | None = None

    def grow(self, **joules: float) -> None:
        """Let counters grow."""
        for domain, grown in joules.items():
            self.joules[domain] = self.joules.get(domain, 0.0) + grown

    def read(self) -> Mapping[str, float]:
        """See ``Source``."""
        if self.error:
            raise SourceError(self.error)
        return dict(self.joules)
