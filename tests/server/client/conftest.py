"""A stock openai client against the real engine with real kernels and a tiny random model.

The client checks the shape of every response by itself (``_strict_response_validation``).
"""

from collections.abc import AsyncIterator
from pathlib import Path

import anthropic
import openai
import pytest

from tests.server.client.asking import NAMES, tokens_of
from tests.server.scripted import LIMIT_SECONDS
from tests.server.serving import openai_client, real_app, serve
from tests.tiny_model import VARIANTS, write_checkpoint


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The model, and a cache for its packed weights."""
    folder = write_checkpoint(VARIANTS["packed_gqa"], tmp_path_factory.mktemp("tiny") / "tiny")
    return folder, tmp_path_factory.mktemp("cache")


@pytest.fixture
async def url(folders: tuple[Path, Path]) -> AsyncIterator[str]:
    """Where it is served: to one test only, since some look at the cache."""
    folder, cache_dir = folders
    app = real_app(
        model=str(folder),
        served_model_name=",".join(NAMES),
        kv_cache_tokens=2048,
        cache_dir=cache_dir,
    )
    async with serve(app) as url:
        yield url


@pytest.fixture
async def client(url: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai_client(url) as client:
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


@pytest.fixture
async def anthropic_client(builtin_url: str) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(
        base_url=builtin_url,
        api_key="none",
        max_retries=0,
        timeout=LIMIT_SECONDS,
        _strict_response_validation=True,
    ) as client:
        yield client
