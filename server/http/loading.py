"""Answers while the model loads: alive, but not ready."""

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import uvicorn
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from sterna.server.error_answers import render
from sterna.server.errors import UnavailableError
from sterna.server.http.crowd import AcceptFailures
from sterna.server.http.listener import make_config
from sterna.server.http.middleware import request_id_of
from sterna.server.http.target import MeantPath
from sterna.server.settings import Settings

RETRY_SECONDS = 5
LIVE_PATH = "/health/live"

_log = logging.getLogger(__name__)


@contextmanager
def answered_while_loading(settings: Settings) -> Iterator[None]:
    """Listen at the server's address, and release it at the end.

    Does nothing with port 0, since the final port is not known yet.
    """
    if settings.port == 0:
        yield
        return
    app = MeantPath(answer, settings.root_path)
    config = make_config(app, settings, lifespan="off")
    server = _QuietServer(config)
    thread = Thread(target=server.run, name="sterna-loading", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 503 to every request except the liveness check."""
    response: Response = JSONResponse({"status": "live"})
    if scope["path"] != LIVE_PATH:
        headers = {"retry-after": str(RETRY_SECONDS), "connection": "close"}
        error = UnavailableError("The model is loading.", code="loading", headers=headers)
        response = render(error, scope)
    response.headers["x-request-id"] = request_id_of(scope)
    await response(scope, receive, send)


class _QuietServer(uvicorn.Server):
    """Does not log that it is running, because users and scripts take that as ready."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, as ``Server`` does."""
        asyncio.get_running_loop().set_exception_handler(AcceptFailures())
        await super().startup(sockets)

    def _log_started_message(self, listeners: object) -> None:
        _log.info("listening, but the model is still loading")
