"""``sterna synth --like NAME DIR``: write a random checkpoint of a published shape."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from sterna.engine import shape_names, synthesize_checkpoint
from sterna.server.commands.progress import progress_bar

DEFAULT_SHAPE = "bitnet-b1.58-2B-4T"
DESCRIPTION = """\
Write a checkpoint with random weights. It runs as fast as a real model of its shape, but
generates noise.
"""
EPILOG = f"""\
examples:
  sterna synth ./random      write 1.2 GB in the shape of {DEFAULT_SHAPE}
  sterna serve ./random      serve it
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options of the command."""
    parser.set_defaults(run=run)
    parser.description = DESCRIPTION
    parser.epilog = EPILOG
    parser.add_argument(
        "--like",
        metavar="NAME",
        default=DEFAULT_SHAPE,
        help=f"shape to use: {', '.join(shape_names())} (default: {DEFAULT_SHAPE})",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of the random weights (default: 0)"
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder to write to, new or empty")


def run(arguments: Namespace) -> int:
    """Write the checkpoint. Returns the exit code; raises ConfigError."""
    with progress_bar("B") as progress:
        synthesize_checkpoint(arguments.like, arguments.folder, arguments.seed, progress)
    sys.stdout.write(f"wrote {arguments.folder}; serve it with: sterna serve {arguments.folder}\n")
    return 0
