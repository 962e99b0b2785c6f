"""``sterna serve [MODEL]``: load a model, then answer requests until told to stop."""

import asyncio
import logging
from argparse import ArgumentParser, Namespace
from contextlib import suppress
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI
from sse_starlette.sse import AppStatus
from tqdm.contrib.logging import logging_redirect_tqdm

from engine import AsyncEngine, ConfigError, EngineConfig
from server import checkpoint, logs
from server.app import create_app
from server.commands.progress import progress_bar
from server.commands.signals import ended_by_sigterm
from server.dependencies import Services
from server.sampling import SamplingDefaults
from server.settings import Settings, option, variable
from server.tokenizer import Tokenizer

KEEP_ALIVE_SECONDS = 75  # longer than clients keep idle connections, so that it is they who close

_log = logging.getLogger(__name__)


def add_arguments(parser: ArgumentParser) -> None:
    """Make an option of every setting."""
    for name in Settings.model_fields:
        if name == "model":
            parser.add_argument(name, nargs="?", metavar="MODEL", help=help_text(name))
        else:
            add_option(parser, name)


def add_option(parser: ArgumentParser, name: str) -> None:
    """Make an option of one setting; the settings themselves check the value."""
    parser.add_argument(option(name), metavar="VALUE", help=help_text(name))


def help_text(name: str) -> str:
    """What a setting is, its default, and its variable."""
    field = Settings.model_fields[name]
    default = "" if field.default in (None, ()) or field.default_factory else field.default
    shown = f" (default: {default})" if default != "" else ""
    return f"{field.description}{shown} [{variable(name)}]"


def run(arguments: Namespace) -> int:
    """Serve until SIGTERM or SIGINT, or until the engine dies. Returns the exit code.

    Raises CheckpointError, ConfigError.
    """
    settings = Settings.load({name: getattr(arguments, name) for name in Settings.model_fields})
    logs.configure(settings.log_level, settings.log_format)
    check_address(settings.host, settings.port)
    with ended_by_sigterm():
        app, settings = _load(settings)
    _log.info("serving", extra={"fields": {"model": settings.served_model_name[0]}})
    server = Server(app, settings)
    with suppress(KeyboardInterrupt):  # uvicorn repeats the signal once all is closed
        server.run()
    return 1 if server.engine_died else 0


def _load(settings: Settings) -> tuple[FastAPI, Settings]:
    settings = checkpoint.resolve(settings)
    config = engine_config(settings)
    tokenizer = Tokenizer.load(config.model_path)
    defaults = SamplingDefaults.load(config.model_path)
    with logging_redirect_tqdm(), progress_bar(" layers") as progress:  # log lines above the bar
        engine = AsyncEngine.load(config, progress)  # last, because it takes long
    return create_app(settings, engine, tokenizer, defaults), settings


def check_address(host: str, port: int) -> None:
    """Raise ConfigError if the server, which listens once it has loaded, could not do so now."""

    async def bind() -> None:
        loop = asyncio.get_running_loop()
        (await loop.create_server(asyncio.Protocol, host, port, start_serving=False)).close()

    try:
        asyncio.run(bind())
    except (OSError, ValueError) as error:  # ValueError: nothing that could name a host
        raise ConfigError(f"--host {host} --port {port}: {error}") from None


def engine_config(settings: Settings) -> EngineConfig:
    """The part of the settings that is about computing. Raises ConfigError."""
    if settings.model is None:
        raise ConfigError("the model must be resolved to a folder first")
    return EngineConfig(
        model_path=Path(settings.model),
        max_context_tokens=settings.max_context_tokens,
        max_batch_tokens=settings.max_batch_tokens,
        max_chunk_tokens=settings.max_chunk_tokens,
        max_batch_requests=settings.max_batch_requests,
        kv_cache_tokens=settings.kv_cache_tokens,
        kv_dtype=settings.kv_dtype,
        head=settings.head,
        num_threads=settings.threads,
        backend=settings.backend,
        cache_dir=settings.cache_dir,
    )


class Server(uvicorn.Server):
    """uvicorn that turns readiness off before it stops, and stops when the engine has died."""

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        self.engine_died = False
        # sse-starlette would cut every stream at the signal; uvicorn's time limit ends them.
        AppStatus.enable_automatic_graceful_drain = False
        self._services: Services = app.state.services
        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,  # ours is in place
            access_log=False,  # so is that
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=settings.shutdown_seconds,
        )
        super().__init__(config)

    async def on_tick(self, counter: int) -> bool:
        """Tell, ten times a second, whether to stop: only a restart revives a dead engine."""
        if not self._services.engine.is_alive:
            _log.critical("the engine has died: stopping")
            self.engine_died = True
        return await super().on_tick(counter) or self.engine_died

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Turn readiness off and begin to stop; a second signal no longer waits for anyone."""
        self.force_exit = self._services.health.stopping
        self._services.health.stopping = True
        super().handle_exit(sig, frame)
