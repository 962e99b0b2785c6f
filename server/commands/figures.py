"""The results of a benchmark, as tables or as one JSON object."""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Figures = Mapping[str, Any]

MAX_WIDTH = 120  # of a table, in characters


def measured_by(parser: ArgumentParser, measure: Callable[[Namespace], Figures]) -> None:
    """Let the command print what ``measure`` returns, as tables or as JSON."""
    parser.add_argument("--json", action="store_true", help="print the results as one JSON object")

    def run(arguments: Namespace) -> int:
        print_figures(measure(arguments), as_json=arguments.json)
        return 0

    parser.set_defaults(run=run)


def print_figures(figures: Figures, *, as_json: bool) -> None:
    """Print the results as JSON, or as tables."""
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
    """Return one line per row or, if that is too wide to read, one line per column."""
    names = list(rows[0])
    lines = [names, *([_text(row[name]) for name in names] for row in rows)]
    table = _aligned(lines, str.rjust)
    if table.index("\n") <= MAX_WIDTH:
        return table
    return _aligned(list(zip(*lines, strict=True)), str.ljust)


def _aligned(lines: Sequence[Sequence[str]], pad: Callable[[str, int], str]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(pad, line, widths)).rstrip() for line in lines)


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_text(part)}" for key, part in value.items()) or "-"
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
