"""``sterna bench http``: clients of any OpenAI-compatible server."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace

from sterna.server.bench.http import HttpPlan, bench_http
from sterna.server.bench.report import Objective
from sterna.server.commands.figures import Figures, measured_by
from sterna.server.commands.progress import progress_bar


def add_arguments(parser: ArgumentParser) -> None:
    """Describe whom to ask, how, and what to expect."""
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
