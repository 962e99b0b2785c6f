"""``sterna bench kernels | model | http``: figures as a table, or as one JSON object."""

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sterna.engine import bench_kernels, bench_model, synthesize_checkpoint
from sterna.server import checkpoint
from sterna.server.bench.http import HttpPlan, bench_http
from sterna.server.bench.report import Objective
from sterna.server.commands.progress import progress_bar
from sterna.server.commands.serve import add_option
from sterna.server.engine_config import engine_config
from sterna.server.settings import Settings

Figures = Mapping[str, Any]

MAX_WIDTH = 120  # of a table, in characters
ENERGY_SETTINGS = ("powercap_dir", "zeusd", "tdp_watts", "idle_watts")
ENGINE_SETTINGS = ("threads", "kv_dtype", "head", *ENERGY_SETTINGS)  # options of ``bench model``
FIXED = {  # whatever the environment says: what the measured batches need
    "backend": "native",
    "device": "cpu",
    "kv_cache_tokens": 8192,
    "max_batch_requests": 64,
    "max_context_tokens": None,
}


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the three benchmarks."""
    benchmarks = parser.add_subparsers(metavar="BENCHMARK", required=True)
    kernels = benchmarks.add_parser("kernels", help="each kernel against the machine's limits")
    kernels.set_defaults(measure=_kernels)
    model = benchmarks.add_parser("model", help="the engine without HTTP")
    which = model.add_mutually_exclusive_group()
    which.add_argument("model", nargs="?", metavar="MODEL", help="as for serve")
    which.add_argument("--like", metavar="NAME", help="random weights of this shape, as for synth")
    model.set_defaults(measure=_model)
    add_option(kernels, "threads")
    for name in ENGINE_SETTINGS:
        add_option(model, name)
    http = benchmarks.add_parser("http", help="clients of any OpenAI-compatible server")
    _add_http_arguments(http)
    http.set_defaults(measure=_http)
    for benchmark in (kernels, model, http):
        benchmark.add_argument("--json", action="store_true", help="print one JSON object")


def _add_http_arguments(parser: ArgumentParser) -> None:
    plan, objective = HttpPlan(()), Objective()
    clients = ",".join(map(str, plan.clients))
    parser.add_argument(
        "--url", required=True, help="of a server that runs, such as of sterna serve"
    )
    parser.add_argument("--vs", metavar="URL", help="another server, to take turns with the first")
    parser.add_argument("--model", metavar="NAME", help="default: the first that a server lists")
    for name, kind, default, text in (
        (
            "clients",
            _numbers,
            clients,
            "numbers of clients, each of which asks again when answered",
        ),
        ("prompt-tokens", _number, plan.prompt_tokens, "about so many in a prompt; all differ"),
        ("output-tokens", _number, plan.output_tokens, "at most so many in an answer"),
        (
            "requests-per-client",
            _number,
            plan.requests_per_client,
            "in a turn; two turns with --vs",
        ),
        ("ttft-objective", float, objective.ttft_seconds, "goodput: seconds to the first token"),
        ("itl-objective", float, objective.itl_ms, "goodput: mean milliseconds between tokens"),
    ):
        parser.add_argument(
            f"--{name}",
            type=kind,
            default=default,
            metavar="N",
            help=f"{text} (default: {default})",
        )


def _number(text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"expected a whole number, 1 or more, found {text!r}")
    return int(text)


def _numbers(text: str) -> list[int]:
    return [_number(part) for part in text.split(",")]


def run(arguments: Namespace) -> int:
    """Measure and print. Returns the exit code; raises EngineError."""
    figures: Figures = arguments.measure(arguments)
    print_figures(figures, as_json=arguments.json)
    return 0


def _kernels(arguments: Namespace) -> Figures:
    threads = Settings.load({"threads": arguments.threads}).threads
    with progress_bar(" sizes") as progress:
        return bench_kernels(threads, progress=progress).to_dict()


def _model(arguments: Namespace) -> Figures:
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
    """Return a random checkpoint of this shape, made once and kept beside the packed weights."""
    folder = settings.cache_dir / "synth" / like
    if not (folder / "config.json").exists():
        with progress_bar("B") as progress:
            synthesize_checkpoint(like, folder, progress=progress)
    return folder


def _http(arguments: Namespace) -> Figures:
    plan = HttpPlan(
        urls=[url for url in (arguments.url, arguments.vs) if url],
        clients=arguments.clients,
        prompt_tokens=arguments.prompt_tokens,
        output_tokens=arguments.output_tokens,
        requests_per_client=arguments.requests_per_client,
        model=arguments.model,
        objective=Objective(arguments.ttft_objective, arguments.itl_objective),
    )
    with progress_bar(" requests") as progress:
        return bench_http(plan, progress).to_dict()


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
    """One line for each row; or, where that is too wide to read, one for each name."""
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
