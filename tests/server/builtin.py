"""The built-in model behind a real socket, and a stock openai client that asks it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import openai

from engine import AsyncEngine
from server.app import create_app
from server.checkpoint import resolve
from server.commands.serve import engine_config
from server.sampling import SamplingDefaults
from server.settings import Settings
from server.tokenizer import Tokenizer
from tests.server.conftest import serve


@asynccontextmanager
async def builtin_client(name: str, cache_dir: Path) -> AsyncIterator[openai.AsyncOpenAI]:
    """Serve the model by a name, with little cache; the client checks the shape of answers."""
    options = {"threads": 1, "kv_cache_tokens": 4096, "cache_dir": cache_dir}
    options |= {"served_model_name": name}
    settings = resolve(Settings.load(options, environment={}))
    config = engine_config(settings)
    engine, tokenizer = AsyncEngine.load(config), Tokenizer.load(config.model_path)
    app = create_app(settings, engine, tokenizer, SamplingDefaults())
    async with (
        serve(app) as url,
        openai.AsyncOpenAI(
            base_url=f"{url}/v1",
            api_key="none",
            max_retries=0,
            timeout=600,
            _strict_response_validation=True,
        ) as client,
    ):
        yield client
