"""A stock openai client against the real engine with real kernels and a tiny random model.

The client checks the shape of every response by itself (``_strict_response_validation``).
"""

from collections.abc import AsyncIterator

import openai
import pytest

from engine import AsyncEngine
from server.app import create_app
from server.checkpoint import resolve
from server.commands.serve import engine_config
from server.sampling import SamplingDefaults
from server.settings import Settings
from server.tokenizer import Tokenizer
from tests.server.client.asking import NAMES, tokens_of
from tests.server.conftest import serve
from tests.tiny_model import VARIANTS, write_checkpoint


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = write_checkpoint(VARIANTS["packed_gqa"], tmp_path_factory.mktemp("tiny") / "tiny")
    options = {
        "model": str(folder),
        "served_model_name": ",".join(NAMES),
        "threads": 1,
        "kv_cache_tokens": 2048,
        "cache_dir": tmp_path_factory.mktemp("cache"),
    }
    return resolve(Settings.load(options, environment={}))


@pytest.fixture
async def url(settings: Settings) -> AsyncIterator[str]:
    config = engine_config(settings)
    engine, tokenizer = AsyncEngine.load(config), Tokenizer.load(config.model_path)
    async with serve(create_app(settings, engine, tokenizer, SamplingDefaults())) as url:
        yield url


@pytest.fixture
async def client(url: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=f"{url}/v1", api_key="none", max_retries=0, _strict_response_validation=True
    ) as client:
        yield client


@pytest.fixture
def relaxed(client: openai.AsyncOpenAI) -> openai.AsyncOpenAI:
    """For completions that stream or echo: the strict types have no null there."""
    relaxed = client.with_options()
    relaxed._strict_response_validation = False
    return relaxed


@pytest.fixture
async def letters(url: str) -> dict[str, int]:
    """A bias that lets the model write these and nothing else: no part of a character."""
    return {str(token_id): 100 for token_id in (await tokens_of(url, "abcdefghij"))[1:]}
