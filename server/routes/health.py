"""``/health``, ``/ping``, ``/version`` and ``/metrics``: endpoints for operators.

If live fails, restart the process. If ready (``/health``, ``/ping``) fails, send it no requests.
"""

from importlib.metadata import version

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from sterna.server.http.dependencies import ServicesDep

router = APIRouter(tags=["health"])


@router.get("/health/live")
async def live(services: ServicesDep) -> dict[str, str]:
    """Return 200 while the event loop runs and the engine makes progress, otherwise 503."""
    services.health.check_live()
    return {"status": "live"}


@router.get("/health/ready")
@router.get("/health")
@router.get("/ping")
async def ready(services: ServicesDep) -> dict[str, str]:
    """Return 200 if requests can be served now, otherwise 503 with the reason."""
    services.health.check_ready()
    return {"status": "ready"}


@router.get("/version")
async def get_version() -> dict[str, str]:
    """Return the version of Sterna."""
    return {"version": version("sterna")}


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(services: ServicesDep) -> Response:
    """Return all metrics in Prometheus' text format, with current energy."""
    await services.model.engine.energy.settle()
    return Response(generate_latest(services.metrics.registry), media_type=CONTENT_TYPE_LATEST)
