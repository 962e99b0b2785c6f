"""``sterna bench kernels | model | http``: figures as a table, or as one JSON object."""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine import EngineConfig, bench_kernels, bench_model
from server import checkpoint
from server.commands.progress import progress_bar
from server.settings import Settings

Figures = Mapping[str, Any]


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the three benchmarks."""
    benchmarks = parser.add_subparsers(metavar="BENCHMARK", required=True)
    kernels = benchmarks.add_parser("kernels", help="each kernel against the machine's limits")
    kernels.set_defaults(measure=_kernels)
    model = benchmarks.add_parser("model", help="the engine without HTTP")
    model.add_argument("model", nargs="?", metavar="MODEL", help="as for serve")
    model.set_defaults(measure=_model)
    for benchmark in (kernels, model):
        benchmark.add_argument("--threads", type=int, metavar="N", help="default: physical cores")
        benchmark.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: Namespace) -> int:
    """Measure and print. Returns the exit code; raises EngineError."""
    figures: Figures = arguments.measure(arguments)
    print_figures(figures, as_json=arguments.json)
    return 0


def _kernels(arguments: Namespace) -> Figures:
    with progress_bar(" sizes") as progress:
        return bench_kernels(arguments.threads, progress=progress).to_dict()


def _model(arguments: Namespace) -> Figures:
    settings = checkpoint.resolve(Settings.load({"model": arguments.model}))
    config = EngineConfig(
        model_path=Path(str(settings.model)),
        kv_cache_tokens=8192,
        num_threads=arguments.threads,
        cache_dir=settings.cache_dir,
    )
    with progress_bar("") as progress:
        return bench_model(config, progress).to_dict()


def print_figures(figures: Figures, *, as_json: bool) -> None:
    """Print figures for a program, or as tables for people."""
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    for key, value in figures.items():
        if isinstance(value, list):
            sys.stdout.write(f"\n{key}\n{_table(value)}\n")
        elif isinstance(value, Mapping):
            sys.stdout.write(f"\n{key}\n{_table([value])}\n")
        else:
            sys.stdout.write(f"{key:24} {_text(value)}\n")


def _table(rows: Sequence[Figures]) -> str:
    names = list(rows[0])
    lines = [names, *([_text(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(names))]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )


def _text(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
