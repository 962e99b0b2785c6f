"""``sterna bench http``: closed-loop load on one server, or on two in turn.

Two servers take turns at each number of clients (A B A B), so that changes of the machine's speed
affect both. Only what every OpenAI-compatible server has is used; other fields are sent only to
servers that accept them.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import product
from typing import Final

import httpx

from sterna.engine import Progress
from sterna.server.bench.energy import LoadEnergy, energy_between, read_energy
from sterna.server.bench.load import Load, LoadSource
from sterna.server.bench.probe import find_endpoint
from sterna.server.bench.prompt import PromptWriter
from sterna.server.bench.report import HttpReport, LoadFigures, Objective, ServerInfo, ratios
from sterna.server.bench.stream import timed_request

_TURNS_OF_TWO: Final = 2  # of each server at each number of clients
_TIMEOUT_SECONDS: Final = 600.0  # without a byte: an answer may wait long behind fifteen others


@dataclass(frozen=True, slots=True)
class HttpPlan:
    """What to measure. With ``model`` None, the first model that each server lists."""

    urls: Sequence[str]  # one or two
    clients: Sequence[int] = (1, 8, 16)
    prompt_tokens: int = 64
    output_tokens: int = 64
    requests_per_client: int = 4  # in a turn
    model: str | None = None
    objective: Objective = field(default_factory=Objective)

    @property
    def turns(self) -> int:
        """Number of turns of each server at each number of clients."""
        return 1 if len(self.urls) == 1 else _TURNS_OF_TWO

    @property
    def num_requests(self) -> int:
        """Number of requests in the whole run."""
        return sum(self.clients) * self.requests_per_client * self.turns * len(self.urls)


def bench_http(plan: HttpPlan, progress: Progress | None = None) -> HttpReport:
    """Measure. Raises ConfigError if a server cannot be reached or does not stream."""
    return asyncio.run(measure(plan, progress))


async def measure(plan: HttpPlan, progress: Progress | None = None) -> HttpReport:
    """Measure in a running event loop. Raises like ``bench_http``."""
    counter = _AnswerCounter(plan.num_requests, progress)
    async with AsyncExitStack() as stack:
        servers = [
            await _Server.reach(await stack.enter_async_context(_client()), url, plan, counter.add)
            for url in plan.urls
        ]
        rows = [await _take_turns(plan, servers, clients) for clients in plan.clients]
    return HttpReport(
        prompt_tokens=plan.prompt_tokens,
        output_tokens=plan.output_tokens,
        requests_per_client=plan.requests_per_client,
        turns=plan.turns,
        objective=plan.objective,
        servers=[server.info for server in servers],
        results=[figures for row in rows for figures in row],
        url_over_vs=None if len(servers) == 1 else [ratios(*row) for row in rows],
    )


async def _take_turns(
    plan: HttpPlan, servers: Sequence["_Server"], clients: int
) -> list[LoadFigures]:
    """Load each server with this many clients, one server at a time."""
    loads = {server: Load() for server in servers}
    energies: dict[_Server, LoadEnergy] = {}
    for _, server in product(range(plan.turns), servers):
        load, energy = await server.run(clients, plan.requests_per_client)
        loads[server] += load
        energies[server] = energies[server] + energy if server in energies else energy
    return [
        LoadFigures.of(server.info.url, clients, load, plan.objective, energies[server])
        for server, load in loads.items()
    ]


def _client() -> httpx.AsyncClient:
    """Return a client with a connection per simulated client, and without a proxy."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    return httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, limits=limits, trust_env=False)


@dataclass(frozen=True, slots=True, eq=False)
class _Server:
    """A reachable server, and its load."""

    info: ServerInfo
    source: LoadSource

    async def run(self, num_clients: int, requests_per_client: int) -> tuple[Load, LoadEnergy]:
        """Load the server for a turn."""
        client, url = self.source.client, self.info.url
        before = await read_energy(client, url)
        load = await self.source.run(num_clients, requests_per_client)
        return load, energy_between(before, await read_energy(client, url))

    @classmethod
    async def reach(
        cls, client: httpx.AsyncClient, url: str, plan: HttpPlan, on_answer: Callable[[], None]
    ) -> "_Server":
        endpoint = await find_endpoint(client, url, plan.model)
        prompts = PromptWriter()
        prompt_tokens = await prompts.calibrate(client, endpoint, plan.prompt_tokens)
        warm_up = await timed_request(client, endpoint, prompts.write(), plan.output_tokens)
        info = ServerInfo(
            url=endpoint.base_url,
            model=endpoint.model,
            path=endpoint.path,
            ignore_eos="ignore_eos" in endpoint.extras,
            prompt_tokens=prompt_tokens,
            counted="usage" if warm_up.is_counted_by_server else "chunks",
            energy=(await read_energy(client, endpoint.base_url)).detail,
        )
        return cls(info, LoadSource(client, endpoint, prompts, plan.output_tokens, on_answer))


class _AnswerCounter:
    """Shows the number of finished requests."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total = total
        self._progress = progress
        self._num_answers = 0

    def add(self) -> None:
        """Count a request."""
        self._num_answers += 1
        if self._progress:
            self._progress("Measuring requests", self._num_answers, self._total)
