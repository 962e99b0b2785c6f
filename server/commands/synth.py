"""``sterna synth --like NAME DIR``: write a random checkpoint of a published shape."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from sterna.engine import shape_names, synthesize_checkpoint
from sterna.server.commands.progress import progress_bar

DEFAULT_SHAPE = "bitnet-b1.58-2B-4T"


def add_arguments(parser: ArgumentParser) -> None:
    """Describe what to write, and where."""
    parser.set_defaults(run=run)
    parser.add_argument(
        "--like",
        metavar="NAME",
        default=DEFAULT_SHAPE,
        help=f"whose shape to take: {', '.join(shape_names())} (default: {DEFAULT_SHAPE})",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the random weights (default: 0)")
    parser.add_argument("folder", metavar="DIR", type=Path, help="a new or empty folder")


def run(arguments: Namespace) -> int:
    """Write the checkpoint. Returns the exit code; raises ConfigError."""
    with progress_bar("B") as progress:
        synthesize_checkpoint(arguments.like, arguments.folder, arguments.seed, progress)
    sys.stdout.write(f"wrote {arguments.folder}; serve it with: sterna serve {arguments.folder}\n")
    return 0
