"""One app around a scripted model, without a socket (``client``) and behind one (``base_url``).

And for all tests together one with the built-in model (``builtin``).
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import openai
import pytest
from fastapi import FastAPI

from sterna.engine import AsyncEngine
from sterna.server.http.dependencies import Services
from sterna.server.settings import Settings
from tests.server.scripted import (
    ScriptedModel,
    make_app,
    make_engine,
    make_folder,
    make_settings,
    says,
)
from tests.server.serving import openai_client, real_app, serve, serve_in_thread


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
    return make_app(folder, settings, engine)


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


@pytest.fixture(scope="session")
def builtin_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the built-in model is served to all tests: what one asks for, no other notices."""
    app = real_app(kv_cache_tokens=4096, cache_dir=tmp_path_factory.mktemp("builtin"))
    with serve_in_thread(app) as url:
        yield url


@pytest.fixture
async def builtin(builtin_url: str) -> AsyncIterator[openai.AsyncOpenAI]:
    """A client of the built-in model."""
    async with openai_client(builtin_url) as client:
        yield client
