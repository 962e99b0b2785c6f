"""A client that leaves takes its work with it: in the queue, in prefill and in decode.

Real sockets, the real engine thread and scheduler; the model steps only when the test says so, so
"within one step" is checked exactly: one step more, and nothing of the request is left.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from sterna.engine import AsyncEngine
from sterna.server.http.dependencies import Services
from tests.server.scraped import value
from tests.server.scripted import (
    BATCH_REQUESTS,
    BATCH_TOKENS,
    LIMIT_SECONDS,
    ScriptedModel,
    babbles,
)
from tests.server.waiting import is_empty, num_submitted, step, until

URLS = ["/v1/completions", "/v1/chat/completions"]
KINDS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
NUM_CHOICES = pytest.mark.parametrize("n", [1, 2])


class Leaver:
    """A client on a bare socket, which can leave at any moment."""

    def __init__(self, base_url: str) -> None:
        self._port = int(base_url.rpartition(":")[2])
        self._writer: asyncio.StreamWriter | None = None

    async def post(self, url: str, body: dict[str, Any]) -> asyncio.StreamReader:
        reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        content = json.dumps(body).encode()
        head = f"POST {url} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        self._writer.write(f"{head}content-length: {len(content)}\r\n\r\n".encode() + content)
        return reader

    def leave(self) -> None:
        assert self._writer
        self._writer.close()


@pytest.fixture(autouse=True)
def closed_model(model: ScriptedModel) -> None:
    model.reply = babbles()
    model.is_open = False


@pytest.fixture
async def base_url(base_url: str, model: ScriptedModel) -> AsyncIterator[str]:
    yield base_url
    model.is_open = True  # whatever a failed test left behind may go
    model.allow(10_000)


@pytest.fixture
async def leaver(base_url: str) -> AsyncIterator[Leaver]:
    leaver = Leaver(base_url)
    yield leaver
    leaver.leave()


def body_of(url: str, length: int = 3, **fields: Any) -> dict[str, Any]:
    text = "x" * length
    prompt = (
        {"messages": [{"role": "user", "content": text}]} if "chat" in url else {"prompt": text}
    )
    return {"model": "scripted", "max_tokens": 100} | prompt | fields


def count(services: Services, name: str, **labels: str) -> float:
    return value(services, name, **labels) or 0


def num_aborted(services: Services) -> float:
    """Sequences whose abort is in the engine's inbox; places may be given back before that."""
    return count(services, "vllm:request_success_total", finished_reason="abort")


@KINDS
@NUM_CHOICES
@pytest.mark.parametrize("url", URLS)
async def test_in_decode(
    leaver: Leaver, engine: AsyncEngine, model: ScriptedModel, services: Services,
    url: str, stream: bool, n: int,
) -> None:  # fmt: skip
    await leaver.post(url, body_of(url, stream=stream, n=n))
    await until(lambda: services.admission.num_taken == n)
    while count(services, "vllm:generation_tokens_total") < 3 * n:
        await step(engine, model)
    leaver.leave()
    await until(lambda: num_aborted(services) == n)
    await until(lambda: services.admission.num_taken == 0)
    await step(engine, model)
    assert is_empty(engine.stats())


@KINDS
async def test_in_prefill(
    leaver: Leaver, engine: AsyncEngine, model: ScriptedModel, services: Services, stream: bool
) -> None:
    url = URLS[0]
    await leaver.post(url, body_of(url, 5 * BATCH_TOKENS, stream=stream))
    await until(lambda: services.admission.num_taken == 1)
    await step(engine, model)
    await step(engine, model)
    assert engine.stats().num_running == 1
    assert model.steps[-1] == [BATCH_TOKENS]  # two chunks of five
    leaver.leave()
    await until(lambda: num_aborted(services) == 1)
    await until(lambda: services.admission.num_taken == 0)
    await step(engine, model)
    assert is_empty(engine.stats())
    assert len(model.steps) == 3


@KINDS
async def test_in_the_queue_and_nobody_else_is_touched(
    base_url: str, leaver: Leaver, engine: AsyncEngine, model: ScriptedModel,
    services: Services, stream: bool,
) -> None:  # fmt: skip
    url = URLS[0]
    async with httpx.AsyncClient(base_url=base_url, timeout=LIMIT_SECONDS) as client:
        body = body_of(url, max_tokens=100)
        others = [asyncio.create_task(client.post(url, json=body)) for _ in range(BATCH_REQUESTS)]
        await until(lambda: num_submitted(engine) == BATCH_REQUESTS)  # else it may overtake one
        await leaver.post(url, body_of(url, stream=stream))
        await until(lambda: num_submitted(engine) == BATCH_REQUESTS + 1)
        await step(engine, model)  # to which not all may have come
        await step(engine, model)
        assert (engine.stats().num_running, engine.stats().num_waiting) == (BATCH_REQUESTS, 1)
        leaver.leave()
        await until(lambda: num_aborted(services) == 1)
        await until(lambda: services.admission.num_taken == BATCH_REQUESTS)
        await step(engine, model)
        assert (engine.stats().num_running, engine.stats().num_waiting) == (BATCH_REQUESTS, 0)
        model.is_open = True
        model.allow(1)
        answers = [response.json() for response in await asyncio.gather(*others)]
    assert [a["choices"][0]["text"] for a in answers] == ["abcdefghij" * 10] * BATCH_REQUESTS
    assert num_aborted(services) == 1


async def test_before_anything_was_generated_for_a_stream(
    leaver: Leaver, engine: AsyncEngine, model: ScriptedModel, services: Services
) -> None:
    """The client sends its request and is gone before the server has looked at it."""
    await leaver.post(URLS[0], body_of(URLS[0], stream=True))
    leaver.leave()
    labels = {"method": "POST", "route": URLS[0], "status": "200"}
    await until(lambda: count(services, "sterna:http_requests_total", **labels) == 1)
    await until(lambda: services.admission.num_taken == 0)
    await until(lambda: num_submitted(engine) == 0)
    model.allow(1)
    await until(lambda: is_empty(engine.stats()))


async def test_a_slow_reader_holds_up_nobody(
    base_url: str, leaver: Leaver, engine: AsyncEngine, model: ScriptedModel
) -> None:
    """Its answers are generated to the end while it reads nothing, and then arrive whole."""
    model.is_open = True
    model.allow()
    url = URLS[0]
    reader = await leaver.post(url, body_of(url, stream=True, n=4, max_tokens=200))
    await until(lambda: engine.stats().num_steps >= 200 and is_empty(engine.stats()))
    content = b""
    while b"[DONE]" not in content:
        content += await reader.read(1000)
    texts = [""] * 4
    for line in content.decode().splitlines():
        if line.startswith("data: {"):
            choice = json.loads(line.removeprefix("data: "))["choices"][0]
            texts[choice["index"]] += choice["text"]
    assert texts == ["abcdefghij" * 20] * 4
