"""``sterna bench kernels``: measure each kernel, and compare it with the machine's limits."""

from argparse import ArgumentParser, Namespace

from sterna.engine import bench_kernels
from sterna.server.commands.figures import Figures, measured_by
from sterna.server.commands.options import add_option
from sterna.server.commands.progress import progress_bar
from sterna.server.settings import Settings


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options of the benchmark."""
    add_option(parser, "threads")
    measured_by(parser, measure)


def measure(arguments: Namespace) -> Figures:
    """Measure. Raises ConfigError."""
    threads = Settings.load({"threads": arguments.threads}).threads
    with progress_bar(" sizes") as progress:
        return bench_kernels(threads, progress=progress).to_dict()
