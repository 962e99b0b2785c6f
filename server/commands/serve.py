"""``sterna serve [MODEL]``: load a model, then answer requests until stopped."""

import gc
import logging
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version

from fastapi import FastAPI

from sterna.engine import CheckpointError, ConfigError
from sterna.server import checkpoint, logs
from sterna.server.app import create_app
from sterna.server.commands.options import add_option, help_text
from sterna.server.commands.progress import progress_bar
from sterna.server.commands.signals import ended_by_sigterm
from sterna.server.http import auth
from sterna.server.http.listener import Server, check_address, check_tls
from sterna.server.http.loading import answered_while_loading
from sterna.server.served_model import ServedModel
from sterna.server.settings import Settings, with_options

_log = logging.getLogger(__name__)

FIRST_GROUP = "model"
GROUPS = {  # titles in the help, keyed by the first setting of each group
    "host": "address and access",
    "max_body_bytes": "connection limits",
    "threads": "compute, cache and queue",
    "powercap_dir": "energy",
    "log_level": "logging",
}
EPILOG = """\
examples:
  sterna serve                                      serve the built-in model on port 8000
  sterna serve microsoft/bitnet-b1.58-2B-4T         download a model and serve it
  sterna serve ./checkpoint --host 0.0.0.0 --port 9000 --api-key KEY

Every setting is also an environment variable, shown in brackets; an option overrides it.
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add an option for every setting, in the order and the groups of the settings."""
    parser.set_defaults(run=run)
    parser.usage = "%(prog)s [OPTIONS] [MODEL]"
    parser.epilog = EPILOG
    group = parser.add_argument_group(FIRST_GROUP)
    for name in Settings.model_fields:
        if name in GROUPS:
            group = parser.add_argument_group(GROUPS[name])
        if name == "model":
            group.add_argument(name, nargs="?", metavar="MODEL", help=help_text(name))
        else:
            add_option(group, name)


def run(arguments: Namespace) -> int:
    """Serve until SIGTERM or SIGINT, or until the engine dies. Returns the exit code.

    Raises CheckpointError, ConfigError.
    """
    settings = Settings.load({name: getattr(arguments, name) for name in Settings.model_fields})
    logs.configure(settings.log_level, settings.log_format)
    _log.info("starting Sterna %s", version("sterna"))
    check(settings)
    with ended_by_sigterm(), answered_while_loading(settings):
        app, settings = load_app(settings)
    server = Server(app, settings)
    # uvicorn repeats a second signal once all is closed
    with suppress(KeyboardInterrupt), quick_collections():
        server.run()
    return 1 if server.engine_died else 0


def check(settings: Settings) -> None:
    """Raise ConfigError, of one line, with every mistake that shows before a model is loaded."""
    errors: list[str] = []
    for look in (
        lambda: check_address(settings.host, settings.port),
        lambda: check_tls(settings),
        lambda: auth.load_keys(settings),
        lambda: checkpoint.check(settings),
    ):
        try:
            look()
        except (CheckpointError, ConfigError) as error:
            errors.append(with_options(error))
    if errors:
        raise ConfigError("; ".join(errors))


@contextmanager
def quick_collections() -> Iterator[None]:
    """Exclude the objects that exist now from garbage collection, which stops every thread.

    Otherwise a full collection visits the objects of all libraries and takes a quarter of a second.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def load_app(settings: Settings) -> tuple[FastAPI, Settings]:
    """Return the app around a loaded engine, and the settings with the resolved model.

    May download the model; shows progress on a terminal. Raises CheckpointError, ConfigError.
    """
    settings = checkpoint.resolve(settings)
    with progress_bar(" layers") as progress:
        model = ServedModel.load(settings, progress)
    return create_app(settings, model), settings
