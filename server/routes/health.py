"""``/health``, ``/ping``, ``/version`` and ``/metrics``: for those who run the server.

live: restart the process if this fails. ready, also as ``/health`` and ``/ping``: send it no
requests if this fails.
"""

from importlib.metadata import version

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from sterna.server.http.dependencies import ServicesDep

router = APIRouter(tags=["health"])


@router.get("/health/live")
async def live(services: ServicesDep) -> dict[str, str]:
    """200 while the event loop runs and the engine, if it has work, gets on with it; else 503."""
    services.health.check_live()
    return {"status": "live"}


@router.get("/health/ready")
@router.get("/health")
@router.get("/ping")
async def ready(services: ServicesDep) -> dict[str, str]:
    """200 if requests can be served now; else 503 with the reason."""
    services.health.check_ready()
    return {"status": "ready"}


@router.get("/version")
async def get_version() -> dict[str, str]:
    """Which version of Sterna this is."""
    return {"version": version("sterna")}


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(services: ServicesDep) -> Response:
    """All metrics in Prometheus' text format, with the energy up to now."""
    await services.model.engine.energy.settle()
    return Response(generate_latest(services.metrics.registry), media_type=CONTENT_TYPE_LATEST)
