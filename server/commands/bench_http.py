"""``sterna bench http``: measure latency and throughput of any OpenAI-compatible server."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace

from sterna.server.bench.http import HttpPlan, bench_http
from sterna.server.bench.report import Objective
from sterna.server.commands.figures import Figures, measured_by
from sterna.server.commands.progress import progress_bar


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options of the benchmark."""
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
    measured_by(parser, measure)


def measure(arguments: Namespace) -> Figures:
    """Measure. Raises ConfigError."""
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


def _number(text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"expected a whole number, 1 or more, found {text!r}")
    return int(text)


def _numbers(text: str) -> list[int]:
    return [_number(part) for part in text.split(",")]
