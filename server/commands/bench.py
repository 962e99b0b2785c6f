"""``sterna bench kernels | model | http``: results as tables, or as one JSON object."""

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, _SubParsersAction
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sterna.engine import bench_kernels, bench_model, synthesize_checkpoint
from sterna.server import checkpoint
from sterna.server.bench.http import HttpPlan, bench_http
from sterna.server.bench.report import Objective
from sterna.server.commands.progress import progress_bar
from sterna.server.commands.serve import add_option, help_text
from sterna.server.engine_config import engine_config
from sterna.server.settings import Settings

Figures = Mapping[str, Any]

MAX_WIDTH = 120  # of a table, in characters
ENERGY_SETTINGS = ("powercap_dir", "zeusd", "tdp_watts", "idle_watts")
ENGINE_SETTINGS = ("threads", "kv_dtype", "head", *ENERGY_SETTINGS)  # options of ``bench model``
FIXED = {  # what the measured batches need; the environment cannot change it
    "backend": "native",
    "device": "cpu",
    "kv_cache_tokens": 8192,
    "max_batch_requests": 64,
    "max_context_tokens": None,
}
EPILOG = """\
examples:
  sterna bench kernels
  sterna bench model --like bitnet-b1.58-2B-4T
  sterna bench http --url http://localhost:8000 --clients 1,8
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the three benchmarks, each with its options."""
    parser.description = "Measure this machine, and Sterna on it."
    parser.epilog = EPILOG
    benchmarks = parser.add_subparsers(metavar="BENCHMARK", required=True)
    kernels = _add_benchmark(
        benchmarks, "kernels", "measure each kernel, and compare it with the machine's limits"
    )
    kernels.set_defaults(measure=_kernels)
    model = _add_benchmark(benchmarks, "model", "measure decode and prefill without HTTP")
    which = model.add_mutually_exclusive_group()
    which.add_argument("model", nargs="?", metavar="MODEL", help=help_text("model"))
    which.add_argument(
        "--like", metavar="NAME", help="use random weights of this shape, as sterna synth does"
    )
    model.set_defaults(measure=_model)
    add_option(kernels, "threads")
    for name in ENGINE_SETTINGS:
        add_option(model, name)
    http = _add_benchmark(
        benchmarks, "http", "measure latency and throughput of any OpenAI-compatible server"
    )
    _add_http_arguments(http)
    http.set_defaults(measure=_http)
    for benchmark in (kernels, model, http):
        benchmark.add_argument(
            "--json", action="store_true", help="print the results as one JSON object"
        )


def _add_benchmark(
    benchmarks: "_SubParsersAction[ArgumentParser]", name: str, what: str
) -> ArgumentParser:
    description = f"{what[0].upper()}{what[1:]}."
    return benchmarks.add_parser(name, help=what, description=description)


def _add_http_arguments(parser: ArgumentParser) -> None:
    plan, objective = HttpPlan(()), Objective()
    clients = ",".join(map(str, plan.clients))
    parser.add_argument("--url", required=True, help="base URL of a running server")
    parser.add_argument(
        "--vs", metavar="URL", help="second server to compare with, measured in turn"
    )
    parser.add_argument(
        "--model", metavar="NAME", help="model to ask for (default: the first that a server lists)"
    )
    for name, kind, default, metavar, text in (
        (
            "clients",
            _numbers,
            clients,
            "N[,N...]",
            "numbers of concurrent clients; each sends its next request when the last is answered",
        ),
        (
            "prompt-tokens",
            _number,
            plan.prompt_tokens,
            "TOKENS",
            "approximate length of a prompt; all prompts differ",
        ),
        ("output-tokens", _number, plan.output_tokens, "TOKENS", "maximum length of an answer"),
        (
            "requests-per-client",
            _number,
            plan.requests_per_client,
            "N",
            "requests per client and turn; with --vs each server has two turns",
        ),
        (
            "ttft-objective",
            float,
            objective.ttft_seconds,
            "SECONDS",
            "goodput counts requests whose first token takes no longer",
        ),
        (
            "itl-objective",
            float,
            objective.itl_ms,
            "MILLISECONDS",
            "goodput counts requests whose mean time between tokens is no longer",
        ),
    ):
        parser.add_argument(
            f"--{name}",
            type=kind,
            default=default,
            metavar=metavar,
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
    """Return a random checkpoint of this shape, written once and kept in the cache folder."""
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
