"""``sterna bench model``: measure decode and prefill without HTTP."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from sterna.engine import ConfigError, bench_model, synthesize_checkpoint
from sterna.server import checkpoint
from sterna.server.commands.figures import Figures, measured_by
from sterna.server.commands.options import add_option, help_text
from sterna.server.commands.progress import progress_bar
from sterna.server.engine_config import engine_config
from sterna.server.settings import Settings

ENERGY_SETTINGS = ("powercap_dir", "zeusd", "tdp_watts", "idle_watts")
ENGINE_SETTINGS = ("threads", "kv_dtype", "head", *ENERGY_SETTINGS)  # options of ``bench model``
FIXED = {  # what the measured batches need; the environment cannot change it
    "backend": "native",
    "device": "cpu",
    "kv_cache_tokens": 8192,
    "max_batch_requests": 64,
    "max_context_tokens": None,
}


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options of the benchmark."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("model", nargs="?", metavar="MODEL", help=help_text("model"))
    which.add_argument(
        "--like", metavar="NAME", help="use random weights of this shape, as sterna synth does"
    )
    for name in ENGINE_SETTINGS:
        add_option(parser, name)
    measured_by(parser, measure)


def measure(arguments: Namespace) -> Figures:
    """Measure. Raises EngineError."""
    options = {name: getattr(arguments, name) for name in ("model", *ENGINE_SETTINGS)}
    settings = Settings.load(options)
    if arguments.like:
        settings = settings.model_copy(
            update={"model": str(_synthesized(arguments.like, settings))}
        )
    config = engine_config(checkpoint.resolve(settings).model_copy(update=FIXED))
    with progress_bar("") as progress:
        return bench_model(config, progress).to_dict()


def _synthesized(like: str, settings: Settings) -> Path:
    """Return a random checkpoint of this shape, written once and kept in the cache folder."""
    if settings.cache_dir is None:
        raise ConfigError("--cache-dir: required, as there is no home folder")
    folder = settings.cache_dir / "synth" / like
    if not (folder / "config.json").exists():
        with progress_bar("B") as progress:
            synthesize_checkpoint(like, folder, progress=progress)
    return folder
