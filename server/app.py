"""Creates the ASGI app from the settings and a served model; has no logic of its own."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware

from sterna.engine import ArithmeticModel
from sterna.server import error_answers
from sterna.server.generation.generator import TextGenerator
from sterna.server.health import Health
from sterna.server.http import auth, hosts
from sterna.server.http.admission import Admission
from sterna.server.http.dependencies import Services
from sterna.server.http.limits import RequestLimits
from sterna.server.http.middleware import RequestLog
from sterna.server.http.openapi import DocumentedApp
from sterna.server.http.plain_errors import DocumentedErrors
from sterna.server.http.responder import UNENFORCED_HEADER
from sterna.server.http.target import HeadAsGet, MeantPath
from sterna.server.metrics import Metrics
from sterna.server.metrics.health import HealthCollector
from sterna.server.routes import (
    chat_completions,
    completions,
    health,
    messages,
    models,
    page,
    tokenize,
)
from sterna.server.served_model import ServedModel
from sterna.server.settings import Settings

NOUNS = (chat_completions, completions, messages, models, health, page, tokenize)


def create_app(settings: Settings, model: ServedModel) -> FastAPI:
    """Return an app that serves one model, and runs it while the app is up."""
    services = _services(settings, model)
    app = DocumentedApp(
        title="Sterna",
        lifespan=_lifespan,
        docs_url=None,  # it would load its scripts from elsewhere; /openapi.json is there
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.services = services
    routers = [noun.router for noun in NOUNS]
    for router in routers:
        app.include_router(router)
    app.state.paths = _paths(routers)
    error_answers.install(app)
    keys = auth.load_keys(settings)
    app.has_keys = bool(keys)
    _add_middleware(app, services, keys)
    return app


def _paths(routers: Sequence[APIRouter]) -> list[str]:
    """Return the paths of the API without variable parts, for hints."""
    paths = (getattr(route, "path", "") for router in routers for route in router.routes)
    return [path for path in paths if len(path) > 1 and "{" not in path]


def _add_middleware(app: FastAPI, services: Services, keys: Sequence[str]) -> None:
    """Add middleware. The last one added is outermost: it sees requests first, answers last."""
    settings = services.settings
    app.add_middleware(HeadAsGet)
    app.add_middleware(
        RequestLimits,
        max_body_bytes=settings.max_body_bytes,
        receive_seconds=settings.receive_timeout_seconds,
        admission=services.admission,
    )
    if keys:
        open_paths = auth.open_paths(settings) | page.PATHS
        app.add_middleware(auth.ApiKeys, keys=keys, open_paths=open_paths)
    if settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            expose_headers=["x-request-id", "retry-after", UNENFORCED_HEADER],
        )
    if hosts.ANY not in (names := hosts.allowed_hosts(settings)):
        app.add_middleware(hosts.AllowedHosts, hosts=names)
    app.add_middleware(DocumentedErrors)
    app.add_middleware(RequestLog, metrics=services.metrics)
    app.add_middleware(MeantPath, prefix=settings.root_path)


def _services(settings: Settings, model: ServedModel) -> Services:
    arithmetic = ArithmeticModel(settings.energy_node, head_is_int8=settings.head == "int8")
    metrics = Metrics(model.engine, model.names[0], arithmetic)
    fitness = Health(model.engine, settings.stall_seconds)
    metrics.registry.register(HealthCollector(fitness))
    return Services(
        settings=settings,
        model=model,
        generator=TextGenerator(model.engine, model.tokenizer, metrics, settings.request_timeout),
        health=fitness,
        admission=Admission(
            settings.max_batch_requests,
            settings.max_waiting_requests,
            on_refusal=metrics.rejections.labels("queue_full").inc,
            max_bytes=settings.max_queued_bytes,
            busy_status=settings.overload_status,
        ),
        metrics=metrics,
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    services.model.start()
    try:
        yield
    finally:
        services.health.stopping = True
        await services.model.stop()
