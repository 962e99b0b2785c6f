"""The run: learn the quiet answers, mix all deeds until time is over, look, and end the server."""

import asyncio
import re
from pathlib import Path
from random import Random
from time import monotonic

import httpx

from tests.soak.cases import Case, make_cases
from tests.soak.clients import Clients
from tests.soak.process import ServerProcess, metrics
from tests.soak.report import Report

NUM_WORKERS = 10
NUM_LAST_STREAMS = 6  # open when the server is told to end
QUIET_SECONDS = 120.0
LIMIT_SECONDS = 600.0  # for an answer, on a machine that is busy or paused


async def soak(seconds: float, seed: int, folder: Path) -> Report:
    """Soak a server of our own, whose files go to ``folder``."""
    report = Report()
    server = ServerProcess(folder)
    try:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=server.url, timeout=LIMIT_SECONDS, limits=limits
        ) as client:
            (model, *_) = (await client.get("/v1/models")).json()["data"]
            cases = make_cases(model["id"], seed)
            clients = Clients(client, cases, seed, report)
            await clients.learn()
            await _mix(clients, server, report, seconds, seed)
            report.metrics = await _metrics_when_quiet(client)
            await _drain(clients, client, server, report, cases)
    finally:
        server.kill()
    for line in re.findall(r"^.*(?:ERROR|CRITICAL|Traceback).*$", server.log(), re.MULTILINE):
        report.problems[f"in the log: {line}"] += 1
    return report


async def _mix(
    clients: Clients, server: ServerProcess, report: Report, seconds: float, seed: int
) -> None:
    start = monotonic()

    async def work(random: Random) -> None:
        while monotonic() - start < seconds:
            deed = random.choice(clients.deeds)
            report.deeds[deed.__name__.replace("_", " ")] += 1
            await deed()

    async def watch() -> None:
        while True:
            report.memory.append(((monotonic() - start) / 60, server.memory_mb()))
            await asyncio.sleep(0.5)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(work(Random(seed + 1 + i)) for i in range(NUM_WORKERS)))
    watching.cancel()


async def _metrics_when_quiet(client: httpx.AsyncClient) -> dict[str, float]:
    """The metrics as soon as nothing runs; or else as they are after a while."""
    deadline = monotonic() + QUIET_SECONDS
    while True:
        found = await metrics(client)
        busy = found["sterna:kv_cache_blocks_used"] or found["vllm:num_requests_running"]
        if not busy or monotonic() > deadline:
            return found
        await asyncio.sleep(0.1)


async def _drain(
    clients: Clients, client: httpx.AsyncClient, server: ServerProcess, report: Report,
    cases: list[Case],
) -> None:  # fmt: skip
    """SIGTERM while streams are open: these end as ever, new requests are told, exit code 0."""
    longest = max(cases, key=lambda case: int(case.body["max_tokens"]))
    opened = asyncio.Semaphore(0)

    async def read() -> str:
        body = longest.body | {"stream": True}
        text = ""
        async with client.stream("POST", longest.url, json=body) as response:
            async for piece in response.aiter_text():
                if not text:
                    opened.release()
                text += piece
        return text

    reading = [asyncio.create_task(read()) for _ in range(NUM_LAST_STREAMS)]
    for _ in reading:
        await opened.acquire()
    server.tell_to_end()
    report.deeds["refused while ending"] = await _knock(client)
    for text in await asyncio.gather(*reading):
        clients.check_stream(longest, text)
    if code := await asyncio.to_thread(server.exit_code):
        report.problems[f"exit code {code}"] += 1


async def _knock(client: httpx.AsyncClient) -> int:
    """Ask until the door is shut; how often the answer was 503."""
    num_refused = 0
    while True:
        try:
            response = await client.get("/health")
        except httpx.TransportError:
            return num_refused
        num_refused += response.status_code == 503
        await asyncio.sleep(0.02)
