"""What an orchestrator and a Prometheus see."""

import asyncio
from importlib.metadata import version

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from sterna.engine import AsyncEngine
from sterna.server.http.dependencies import Services
from tests.server.scripted import ScriptedModel, babbles
from tests.server.waiting import num_submitted, step, until

BODY = {"model": "scripted", "prompt": "Once"}


async def statuses(client: httpx.AsyncClient) -> tuple[int, ...]:
    urls = ("/health/live", "/health/ready", "/health")
    found = tuple([(await client.get(url)).status_code for url in urls])
    assert (await client.get("/ping")).status_code == found[-1]
    return found


async def test_a_server_with_a_running_engine_is_healthy(client: httpx.AsyncClient) -> None:
    assert await statuses(client) == (200, 200, 200)


async def test_it_tells_its_version(client: httpx.AsyncClient) -> None:
    assert (await client.get("/version")).json() == {"version": version("sterna")}


async def test_a_stopping_server_is_alive_but_not_ready(
    client: httpx.AsyncClient, services: Services
) -> None:
    services.health.stopping = True
    assert await statuses(client) == (200, 503, 503)
    response = await client.post("/v1/completions", json=BODY)
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "stopping"


async def test_a_dead_engine_is_never_ready_again(
    client: httpx.AsyncClient, model: ScriptedModel
) -> None:
    model.error = MemoryError("scripted")
    response = await client.post("/v1/completions", json=BODY)
    assert response.status_code == 503
    assert response.headers["x-should-retry"] == "false"
    assert response.json()["error"]["code"] == "engine_dead"
    assert await statuses(client) == (200, 503, 503)
    assert (await client.post("/v1/completions", json=BODY)).status_code == 503


async def test_streams_end_with_an_error_when_the_engine_dies(
    client: httpx.AsyncClient, engine: AsyncEngine, model: ScriptedModel
) -> None:
    model.reply = babbles()
    model.is_open = False
    bodies = [BODY | {"stream": True, "max_tokens": 100}] * 3
    tasks = [asyncio.create_task(client.post("/v1/completions", json=body)) for body in bodies]
    await until(lambda: num_submitted(engine) == 3)
    for _ in range(10):
        await step(engine, model)
    model.error = MemoryError("scripted")
    model.allow(10)
    for response in await asyncio.gather(*tasks):
        assert response.status_code == 200
        *_, last, _ = response.text.split("\n\n")
        assert '"code": "engine_dead"' in last
    assert await statuses(client) == (200, 503, 503)


async def test_a_stalled_engine_is_not_alive(
    client: httpx.AsyncClient, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AsyncEngine, "seconds_since_progress", 61.0)
    assert await statuses(client) == (503, 503, 503)
    monkeypatch.setattr(AsyncEngine, "seconds_since_progress", 59.0)
    assert await statuses(client) == (200, 200, 200)


async def test_metrics_are_prometheus_text(client: httpx.AsyncClient) -> None:
    await asyncio.gather(*(client.post("/v1/completions", json=BODY) for _ in range(3)))
    response = await client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    families = {family.name: family for family in text_string_to_metric_families(response.text)}
    outcomes = {
        sample.labels["finished_reason"]: sample.value
        for sample in families["vllm:request_success"].samples
        if sample.name.endswith("_total")
    }
    assert outcomes == {"stop": 3, "length": 0, "abort": 0, "error": 0}
