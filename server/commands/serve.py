"""``sterna serve [MODEL]``: load a model, then answer requests until told to stop."""

import gc
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from fastapi import FastAPI

from sterna.server import checkpoint, logs
from sterna.server.app import create_app
from sterna.server.commands.options import add_option, help_text
from sterna.server.commands.progress import progress_bar
from sterna.server.commands.signals import ended_by_sigterm
from sterna.server.http import auth
from sterna.server.http.listener import Server, check_address, check_tls
from sterna.server.http.loading import answered_while_loading
from sterna.server.served_model import ServedModel
from sterna.server.settings import Settings

GROUPS = {  # the help's titles, each by the setting that it begins with
    "host": "where, and to whom",
    "max_body_bytes": "limits of a connection",
    "threads": "computing, and limits of the queue",
    "powercap_dir": "energy",
    "log_level": "log",
}


def add_arguments(parser: ArgumentParser) -> None:
    """Make an option of every setting, in the order and the groups of the settings."""
    parser.set_defaults(run=run)
    parser.usage = "%(prog)s [OPTION VALUE]... [MODEL]"
    group = parser.add_argument_group("what is served")
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
    check_address(settings.host, settings.port)
    check_tls(settings)
    auth.load_keys(settings)  # whose complaint, too, should not wait until a model is loaded
    checkpoint.check(settings)
    with ended_by_sigterm(), answered_while_loading(settings):
        app, settings = load_app(settings)
    server = Server(app, settings)
    # uvicorn repeats a second signal once all is closed
    with suppress(KeyboardInterrupt), quick_collections():
        server.run()
    return 1 if server.engine_died else 0


@contextmanager
def quick_collections() -> Iterator[None]:
    """Keep what is loaded out of garbage collections, which stop every thread.

    Else a full one walks through the objects of all libraries, a quarter of a second.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def load_app(settings: Settings) -> tuple[FastAPI, Settings]:
    """The app around a loaded engine, and the settings with the model found.

    May download, and shows what is done on a terminal. Raises CheckpointError, ConfigError.
    """
    settings = checkpoint.resolve(settings)
    with progress_bar(" layers") as progress:
        model = ServedModel.load(settings, progress)
    return create_app(settings, model), settings
