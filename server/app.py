"""The app, put together: engine and settings in, ASGI out. Holds no logic of its own."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import time

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from sterna.engine import ArithmeticModel, AsyncEngine, CheckpointError
from sterna.server import error_answers
from sterna.server.answers.logprobs import LogprobWriter
from sterna.server.constraints.compiler import CompileLimits, ConstraintCompiler
from sterna.server.generation.generator import TextGenerator
from sterna.server.generation.prompts import PromptEncoder
from sterna.server.generation.sampling import SamplingDefaults
from sterna.server.health import Health
from sterna.server.http import auth
from sterna.server.http.admission import Admission
from sterna.server.http.dependencies import Services
from sterna.server.http.limits import RequestLimits
from sterna.server.http.middleware import RequestLog
from sterna.server.http.openapi import DocumentedApp
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
from sterna.server.settings import Settings
from sterna.server.text.tokenizer import Tokenizer


def create_app(
    settings: Settings, engine: AsyncEngine, tokenizer: Tokenizer, defaults: SamplingDefaults
) -> FastAPI:
    """An app that serves one model, and runs the engine while it is up.

    settings: as ``checkpoint.resolve`` returns them: the model is a folder and has a name.
    engine, tokenizer, defaults: loaded from that folder; the engine is not started.
    Raises CheckpointError.
    """
    services = _assemble(settings, engine, tokenizer, defaults)
    app = DocumentedApp(
        title="Sterna",
        lifespan=_lifespan,
        docs_url=None,  # it would load its scripts from elsewhere; /openapi.json is there
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.services = services
    for noun in (chat_completions, completions, messages, models, health, page, tokenize):
        app.include_router(noun.router)
    error_answers.install(app)
    keys = auth.load_keys(settings)
    app.has_keys = bool(keys)
    _add_middleware(app, services, keys)
    return app


def _add_middleware(app: FastAPI, services: Services, keys: Sequence[str]) -> None:
    """What is added last is outermost: it sees a request first, and what the others answered."""
    settings = services.settings
    app.add_middleware(RequestLimits, max_body_bytes=settings.max_body_bytes)
    if keys:
        open_paths = auth.open_paths(settings) | page.PATHS
        app.add_middleware(auth.ApiKeys, keys=keys, open_paths=open_paths)
    if settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            expose_headers=["x-request-id", "retry-after"],
        )
    app.add_middleware(RequestLog, metrics=services.metrics)


def _assemble(
    settings: Settings, engine: AsyncEngine, tokenizer: Tokenizer, defaults: SamplingDefaults
) -> Services:
    folder = Path(settings.model or "")
    if tokenizer.vocabulary.num_ids > engine.model.vocab_size:
        raise CheckpointError(
            f"{folder / 'tokenizer.json'}: contains token id {tokenizer.vocabulary.num_ids - 1}, "
            f"but the model's vocabulary ends at {engine.model.vocab_size - 1}"
        )
    constraints = ConstraintCompiler(
        folder / "tokenizer.json",
        engine.model.vocab_size,
        engine.model.eos_token_ids,
        CompileLimits(settings.max_constraint_bytes, settings.constraint_seconds),
    )
    arithmetic = ArithmeticModel(settings.energy_node, head_is_int8=settings.head == "int8")
    metrics = Metrics(engine, settings.served_model_name[0], arithmetic)
    fitness = Health(engine, settings.stall_seconds)
    metrics.registry.register(HealthCollector(fitness))
    return Services(
        settings=settings,
        engine=engine,
        health=fitness,
        admission=Admission(
            settings.max_batch_requests,
            settings.max_waiting_requests,
            on_refusal=metrics.rejections.labels("queue_full").inc,
            max_bytes=settings.max_queued_bytes,
            busy_status=settings.overload_status,
        ),
        metrics=metrics,
        encoder=PromptEncoder(engine, tokenizer, defaults, constraints),
        constraints=constraints,
        generator=TextGenerator(engine, tokenizer, metrics, settings.request_timeout),
        tokenizer=tokenizer,
        logprobs=LogprobWriter(tokenizer.vocabulary),
        started_at=int(time()),
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    services.engine.start()
    services.constraints.start()
    try:
        yield
    finally:
        services.health.stopping = True
        services.constraints.stop()
        await services.engine.stop()
