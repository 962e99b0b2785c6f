"""One app around a scripted model, without a socket (``client``) and behind one (``base_url``)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from engine import AsyncEngine
from server.app import create_app
from server.checkpoint import resolve
from server.commands.serve import engine_config
from server.dependencies import Services
from server.sampling import SamplingDefaults
from server.settings import Settings
from server.tokenizer import Tokenizer
from tests.server.scripted import (
    LIMIT_SECONDS,
    ScriptedModel,
    make_engine,
    make_folder,
    make_settings,
    says,
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("scripted"))


@pytest.fixture
def settings(folder: Path) -> Settings:
    return make_settings(folder)


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel(says("Hello there!"))


@pytest.fixture
def engine(model: ScriptedModel) -> AsyncEngine:
    return make_engine(model)


@pytest.fixture
def app(folder: Path, settings: Settings, engine: AsyncEngine) -> FastAPI:
    return create_app(settings, engine, Tokenizer.load(folder), SamplingDefaults.load(folder))


@pytest.fixture
def services(app: FastAPI) -> Services:
    found: Services = app.state.services
    return found


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client that calls the app directly; a stream arrives in one piece."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://sterna") as client,
    ):
        yield client


@pytest.fixture
async def base_url(app: FastAPI) -> AsyncIterator[str]:
    """Where the app listens."""
    async with serve(app) as url:
        yield url


@pytest.fixture
async def builtin_url(tmp_path: Path) -> AsyncIterator[str]:
    """Where the built-in model is served, by the real engine."""
    options = {"threads": 1, "kv_cache_tokens": 4096, "cache_dir": tmp_path}
    settings = resolve(Settings.load(options, environment={}))
    config = engine_config(settings)
    engine, tokenizer = AsyncEngine.load(config), Tokenizer.load(config.model_path)
    async with serve(create_app(settings, engine, tokenizer, SamplingDefaults())) as url:
        yield url


@asynccontextmanager
async def serve(app: FastAPI) -> AsyncIterator[str]:
    """Run an app behind a real socket, in this event loop."""
    config = uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="on")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(LIMIT_SECONDS):
        while not server.started:
            await asyncio.sleep(0.001)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task
