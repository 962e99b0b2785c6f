"""The command ``sterna``. Run ``sterna --help``, or ``python -m sterna --help``.

Parses arguments and reports errors; the work is in ``server/commands``.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from importlib.metadata import version

from sterna.engine import CheckpointError, ConfigError
from sterna.server.commands import bench, serve, synth
from sterna.server.commands.parser import CommandParser
from sterna.server.settings import with_options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand. Returns the exit code: 2 for mistakes of the user."""
    parsed = _parser().parse_args(arguments)
    try:
        code: int = parsed.run(parsed)
    except (CheckpointError, ConfigError) as error:
        print(f"sterna: error: {with_options(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> ArgumentParser:
    parser = CommandParser("sterna", description="Serve 1.58-bit language models.")
    parser.add_argument("--version", action="version", version=f"sterna {version('sterna')}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    serving = commands.add_parser("serve", help="serve a model over the OpenAI API")
    serve.add_arguments(serving)
    serving.set_defaults(run=serve.run)
    synthesizing = commands.add_parser("synth", help="write a random checkpoint, for benchmarks")
    synth.add_arguments(synthesizing)
    synthesizing.set_defaults(run=synth.run)
    benchmarking = commands.add_parser("bench", help="measure this machine, and Sterna on it")
    bench.add_arguments(benchmarking)
    benchmarking.set_defaults(run=bench.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
