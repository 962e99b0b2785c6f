"""``sterna bench kernels | model | http``: results as tables, or as one JSON object."""

from typing import Final

from sterna.server.commands.parser import CommandParser, add_commands

BENCHMARKS: Final = {
    "kernels": "measure each kernel, and compare it with the machine's limits",
    "model": "measure decode and prefill without HTTP",
    "http": "measure latency and throughput of any OpenAI-compatible server",
}
EPILOG = """\
examples:
  sterna bench kernels
  sterna bench model --like bitnet-b1.58-2B-4T
  sterna bench http --url http://localhost:8000 --clients 1,8
"""


def add_arguments(parser: CommandParser) -> None:
    """Add the three benchmarks, each a command with its own module."""
    parser.epilog = EPILOG
    benchmarks = parser.add_subparsers(metavar="BENCHMARK", required=True)
    add_commands(benchmarks, BENCHMARKS, prefix="bench_")
