"""Readiness as a metric, checked at each scrape."""

from collections.abc import Iterator

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from sterna.server.errors import UnavailableError
from sterna.server.health import Health
from sterna.server.metrics.families import gauge


class HealthCollector(Collector):
    """Exports one gauge with the result of ``/health/ready``."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def collect(self) -> Iterator[Metric]:
        """The gauge."""
        yield gauge(
            "sterna:ready", "1 while requests can be served, otherwise 0.", self._is_ready()
        )

    def _is_ready(self) -> bool:
        try:
            self._health.check_ready()
        except UnavailableError:
            return False
        return True
