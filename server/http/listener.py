"""uvicorn as Sterna runs it: address, TLS, limits and shutdown."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Sequence
from functools import partial
from time import monotonic
from types import FrameType
from typing import Literal, cast

import uvicorn
from fastapi import FastAPI
from sse_starlette.sse import AppStatus
from starlette.types import ASGIApp

from sterna.engine import ConfigError, read_regular
from sterna.server.health import stopping_error
from sterna.server.http.connection import Connection
from sterna.server.http.crowd import AcceptFailures, max_connections
from sterna.server.http.dependencies import Services
from sterna.server.settings import Settings

KEEP_ALIVE_SECONDS = 75  # longer than clients keep idle connections, so that it is they who close
FLUSH_SECONDS = 5  # for the last bytes of responses that have come to their end

_log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """Finishes open requests before it stops, and stops when the engine has died.

    After the first signal it refuses new requests but still listens, so that probes and load
    balancers get the reason. It stops once nothing is open, or after ``shutdown_seconds``, when
    open requests end with an error. A second signal stops it at once.
    """

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        self.engine_died = False
        # sse-starlette would cut every stream at the signal; we end them.
        AppStatus.enable_automatic_graceful_drain = False
        self._services: Services = app.state.services
        self._stop_at: float | None = None  # monotonic seconds; set by the first signal
        super().__init__(make_config(app, settings))

    def _log_started_message(self, listeners: Sequence[socket.SocketType]) -> None:
        """Log the address, in the line that users and scripts wait for."""
        settings = self._services.settings
        scheme = "http" if settings.tls_cert_file is None else "https"
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        url = f"{scheme}://{host}:{settings.port or listeners[0].getsockname()[1]}"
        fields = {"model": self._services.model.names[0]}
        _log.info("running on %s (press Ctrl+C to stop)", url, extra={"fields": fields})

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        asyncio.get_running_loop().set_exception_handler(AcceptFailures())
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close what is left, and log that the server has stopped."""
        await super().shutdown(sockets)
        _log.info("stopped")

    async def on_tick(self, counter: int) -> bool:
        """Return, ten times a second, whether to stop, which a dead engine requires."""
        services = self._services
        if not services.model.engine.is_alive:
            _log.critical("the engine has died: stopping")
            self.engine_died = True
        elif self._stop_at is not None and monotonic() >= self._stop_at:
            services.generator.end_all(stopping_error())
            self.should_exit = True
        elif self._stop_at is not None and services.admission.num_open == 0:
            self.should_exit = True
        return await super().on_tick(counter) or self.engine_died

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop, or stop at once at the second signal."""
        if self._stop_at is None:
            self._services.health.stopping = True
            self._stop_at = monotonic() + self._services.settings.shutdown_seconds
        else:
            self.force_exit = True
            self.config.timeout_graceful_shutdown = 0
            super().handle_exit(sig, frame)


def check_address(host: str, port: int) -> None:
    """Raise ConfigError if the server could not listen at this address."""

    async def bind() -> None:
        loop = asyncio.get_running_loop()
        (await loop.create_server(asyncio.Protocol, host, port, start_serving=False)).close()

    try:
        asyncio.run(bind())
    except (OSError, ValueError) as error:  # ValueError: nothing that could name a host
        raise ConfigError(f"--host {host} --port {port}: {error}") from None


def check_tls(settings: Settings) -> None:
    """Raise ConfigError unless certificate and key are both absent, or readable and a pair."""
    certificate, key = settings.tls_cert_file, settings.tls_key_file
    if certificate is None and key is None:
        return
    if certificate is None or key is None:
        raise ConfigError("--tls-cert-file and --tls-key-file must be given together")

    def no_password() -> str:  # else OpenSSL would ask on the terminal
        raise ConfigError(f"--tls-key-file {key}: must not be protected by a password")

    try:
        for path in (certificate, key):
            read_regular(path)  # whose error, unlike that of ssl, names the file
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, no_password)
    except ssl.SSLError as error:
        reason = error.reason or error
        message = f"--tls-cert-file {certificate} and --tls-key-file {key} do not match: {reason}"
        raise ConfigError(message) from None
    except OSError as error:
        raise ConfigError(f"{error.filename}: {error.strerror}") from None


def make_config(
    app: ASGIApp, settings: Settings, *, lifespan: Literal["on", "off"] = "on"
) -> uvicorn.Config:
    """Return uvicorn's configuration: address, TLS and the limits of a connection."""
    connection = partial(
        Connection,
        receive_seconds=settings.receive_timeout_seconds,
        max_connections=max_connections(),
    )
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=cast("type[asyncio.Protocol]", connection),
        ws="none",
        ssl_certfile=settings.tls_cert_file,
        ssl_keyfile=settings.tls_key_file,
        lifespan=lifespan,
        log_config=None,  # ours is in place
        log_level="error" if settings.log_level == "error" else "warning",  # the rest we say
        access_log=False,  # so is that
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=FLUSH_SECONDS,
    )
