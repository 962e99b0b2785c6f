"""Metrics of HTTP responses: by exact status, and as prometheus_fastapi_instrumentator in vLLM.

Its sizes of requests and responses are left out, because streams lack the header they need.
"""

from prometheus_client import CollectorRegistry, Counter, Histogram

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
PROBES = ("/health", "/metrics")  # vLLM leaves them out: its readers take shares of all responses
DURATION_SECONDS = (0.1, 0.5, 1)
FINE_DURATION_SECONDS = (
    0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 7.5, 10, 30,
    60,
)  # fmt: skip


class HttpMetrics:
    """Counts responses and the time up to their last byte."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "sterna:http_requests",
            "HTTP responses by method, route and status. 499: the client disconnected first.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._grouped = Counter(
            "http_requests",
            "HTTP responses by method, route and class of status, without health checks.",
            ["handler", "method", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "Time from a request to the end of its response, in seconds.",
            ["handler", "method"],
            buckets=DURATION_SECONDS,
            registry=registry,
        )
        self._fine_seconds = Histogram(
            "http_request_duration_highr_seconds",
            "Time to the end of a response over all routes, in finer buckets.",
            buckets=FINE_DURATION_SECONDS,
            registry=registry,
        )

    def count(self, method: str, route: str, status: int | None, seconds: float) -> None:
        """Count a response; status is None if it never began."""
        method = method if method in METHODS else "other"  # clients can make up any number
        self._requests.labels(method, route, str(status or "none")).inc()
        if not route.startswith(PROBES):
            self._count_as_instrumented(method, route, status, seconds)

    def _count_as_instrumented(
        self, method: str, route: str, status: int | None, seconds: float
    ) -> None:
        group = f"{status // 100}xx" if status else "none"
        self._grouped.labels(route, method, group).inc()
        self._seconds.labels(route, method).observe(seconds)
        self._fine_seconds.observe(seconds)
