"""Apps behind a real socket, also one with the real engine, and a client for them."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import openai
import uvicorn
from fastapi import FastAPI

from sterna.server.commands.serve import load_app
from sterna.server.http.listener import make_config
from sterna.server.settings import Settings
from tests.server.scripted import CLOCKS, LIMIT_SECONDS, NEVER_SECONDS

CLIENT_SECONDS = 600.0  # on a busy machine


@asynccontextmanager
async def serve(app: FastAPI) -> AsyncIterator[str]:
    """Run an app behind a real socket, in this event loop. Yields where it listens."""
    services = getattr(app.state, "services", None)  # a peer of the benchmarks has none
    settings: Settings = services.settings if services else Settings.load({}, {})
    server = uvicorn.Server(make_config(app, settings.model_copy(update={"port": 0})))
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


@contextmanager
def serve_in_thread(app: FastAPI) -> Iterator[str]:
    """The same in a thread of its own: for clients that block, and for more than one test."""
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


def real_app(**options: object) -> FastAPI:
    """An app as ``sterna serve`` has it, with the real engine on one thread.

    options: of the command line; without ``model``, the built-in one. No time limit is in its way.
    """
    fixed = {"threads": 1, **dict.fromkeys(CLOCKS, NEVER_SECONDS)}
    app, _ = load_app(Settings.load(fixed | options, environment={}))
    return app


@asynccontextmanager
async def openai_client(url: str) -> AsyncIterator[openai.AsyncOpenAI]:
    """A stock client that checks the shape of every response by itself, and repeats nothing."""
    async with openai.AsyncOpenAI(
        base_url=f"{url}/v1",
        api_key="none",
        max_retries=0,
        timeout=CLIENT_SECONDS,
        _strict_response_validation=True,
    ) as client:
        yield client
