"""What the port says while the model loads: alive, not ready, come back soon."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import uvicorn
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from sterna.server.error_answers import render
from sterna.server.errors import UnavailableError
from sterna.server.http.listener import make_config
from sterna.server.http.middleware import request_id_of
from sterna.server.settings import Settings

RETRY_SECONDS = 5
LIVE_PATH = "/health/live"

_log = logging.getLogger(__name__)


@contextmanager
def answered_while_loading(settings: Settings) -> Iterator[None]:
    """Listen where the server will, and let go of the port at the end.

    Not where any free port would do: nobody knows yet which it will be.
    """
    if settings.port == 0:
        yield
        return
    config = make_config(answer, settings, lifespan="off")
    server = _QuietServer(config)
    thread = Thread(target=server.run, name="sterna-loading", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI app: 503 to everything but the question whether the process lives."""
    response: Response = JSONResponse({"status": "live"})
    if scope["path"] != LIVE_PATH:
        headers = {"retry-after": str(RETRY_SECONDS), "connection": "close"}
        error = UnavailableError("The model is loading.", code="loading", headers=headers)
        response = render(error, scope)
    response.headers["x-request-id"] = request_id_of(scope)
    await response(scope, receive, send)


class _QuietServer(uvicorn.Server):
    """Doesn't say that it is running: people and programs take that for being ready."""

    def _log_started_message(self, listeners: object) -> None:
        _log.info("listening, but the model is still loading")
