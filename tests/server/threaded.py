"""The scripted app behind a socket, in a thread of its own: for clients that block."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi import FastAPI

from server.app import create_app
from server.sampling import SamplingDefaults
from server.settings import Settings
from server.tokenizer import Tokenizer
from tests.server.conftest import serve
from tests.server.scripted import LIMIT_SECONDS, ScriptedModel, make_engine


def make_app(folder: Path, settings: Settings, model: ScriptedModel) -> FastAPI:
    """The app of ``conftest``, for other scopes."""
    tokenizer, defaults = Tokenizer.load(folder), SamplingDefaults.load(folder)
    return create_app(settings, make_engine(model), tokenizer, defaults)


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Where the app listens."""
    started, ended = threading.Event(), asyncio.Event()
    urls: list[str] = []
    loops: list[asyncio.AbstractEventLoop] = []

    async def run() -> None:
        async with serve(app) as url:
            urls.append(url)
            loops.append(asyncio.get_running_loop())
            started.set()
            await ended.wait()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    assert started.wait(LIMIT_SECONDS)
    try:
        yield urls[0]
    finally:
        loops[0].call_soon_threadsafe(ended.set)
        thread.join(LIMIT_SECONDS)
