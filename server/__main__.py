"""The command ``sterna``. Run ``sterna --help``, or ``python -m sterna --help``.

Parses arguments and reports errors; the work is in ``server/commands``. Only the called command is
imported, because libraries take a second to load.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from importlib.metadata import version

from sterna.server.commands.parser import CommandParser, add_commands

COMMANDS = {
    "serve": "serve a model over the OpenAI API",
    "synth": "write a random checkpoint, for benchmarks",
    "bench": "measure this machine, and Sterna on it",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand. Returns the exit code: 2 for mistakes of the user."""
    parsed = _parser().parse_args(arguments)
    from sterna.engine import CheckpointError, ConfigError  # noqa: PLC0415 (not to show a help)
    from sterna.server.settings import with_options  # noqa: PLC0415 (the same)

    try:
        code: int = parsed.run(parsed)
    except (CheckpointError, ConfigError) as error:
        print(f"sterna: error: {with_options(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> ArgumentParser:
    parser = CommandParser("sterna", description="Serve 1.58-bit language models.")
    parser.add_argument("--version", action="version", version=f"sterna {version('sterna')}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add_commands(commands, COMMANDS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
