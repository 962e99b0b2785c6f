"""``sterna bench kernels | model | http``: figures as a table, or as one JSON object."""

from typing import Final

from sterna.server.commands.parser import CommandParser, add_commands

BENCHMARKS: Final = {
    "kernels": "each kernel against the machine's limits",
    "model": "the engine without HTTP",
    "http": "clients of any OpenAI-compatible server",
}


def add_arguments(parser: CommandParser) -> None:
    """Describe the three benchmarks, each of which is a command of its own."""
    benchmarks = parser.add_subparsers(metavar="BENCHMARK", required=True)
    add_commands(benchmarks, BENCHMARKS, prefix="bench_")
