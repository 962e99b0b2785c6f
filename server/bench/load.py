"""Closed-loop load: each client sends its next request as soon as the last one ends."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import httpx

from sterna.server.bench.endpoint import Endpoint
from sterna.server.bench.prompt import PromptWriter
from sterna.server.bench.stream import timed_request
from sterna.server.bench.trace import Trace


@dataclass(frozen=True, slots=True)
class Load:
    """All requests of one or several turns, and their total time."""

    traces: Sequence[Trace] = ()
    seconds: float = 0.0

    def __add__(self, other: "Load") -> "Load":
        """Return both loads as one."""
        return Load([*self.traces, *other.traces], self.seconds + other.seconds)


@dataclass(frozen=True, slots=True)
class LoadSource:
    """Puts load on one server."""

    client: httpx.AsyncClient
    endpoint: Endpoint
    prompts: PromptWriter
    output_tokens: int
    on_answer: Callable[[], None] = lambda: None

    async def run(self, num_clients: int, requests_per_client: int) -> Load:
        """Run all clients concurrently, each to its last request."""
        traces: list[Trace] = []
        start = perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(num_clients):
                group.create_task(self._run_client(requests_per_client, traces))
        return Load(traces, perf_counter() - start)

    async def _run_client(self, num_requests: int, traces: list[Trace]) -> None:
        for _ in range(num_requests):
            prompt = self.prompts.write()
            traces.append(
                await timed_request(self.client, self.endpoint, prompt, self.output_tokens)
            )
            self.on_answer()
