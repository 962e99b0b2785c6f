"""The numbers add up, and two apps in one process do not share them."""

from pathlib import Path

import httpx
import pytest

from engine import AsyncEngine
from server import metrics
from server.app import create_app
from server.dependencies import Services
from server.metrics import Metrics
from server.sampling import SamplingDefaults
from server.settings import Settings
from server.tokenizer import Tokenizer
from tests.server.scripted import ScriptedModel, ids_of

BODY = {"model": "scripted", "prompt": "Once"}


def value(services: Services, name: str, **labels: str) -> float | None:
    return services.metrics.registry.get_sample_value(name, labels)


async def test_tokens_and_outcomes_are_counted(
    client: httpx.AsyncClient, services: Services, model: ScriptedModel
) -> None:
    await client.post("/v1/completions", json=BODY | {"n": 2})
    await client.post("/v1/completions", json=BODY | {"max_tokens": 3})
    model.reply = lambda prompt, params: [*ids_of("ab"), -1]
    await client.post("/v1/completions", json=BODY)
    assert value(services, "sterna_prompt_tokens_total") == 4 * 5
    assert value(services, "sterna_generation_tokens_total") == 2 * 13 + 3 + 2
    counts = {
        outcome: value(services, "sterna_requests_total", outcome=outcome)
        for outcome in metrics.OUTCOMES
    }
    assert counts == {"stop": 2, "length": 1, "abort": 0, "error": 1, "rejected": 0}
    assert value(services, "sterna_time_to_first_token_seconds_count") == 4
    assert value(services, "sterna_inter_token_latency_seconds_count") == 2 * 12 + 2 + 1
    assert value(services, "sterna_e2e_request_latency_seconds_count") == 3


async def test_the_engine_is_read_at_each_scrape(
    client: httpx.AsyncClient, services: Services
) -> None:
    assert value(services, "sterna_engine_steps_total") == 0
    await client.post("/v1/completions", json=BODY)
    await client.post("/v1/completions", json=BODY)
    assert value(services, "sterna_engine_steps_total") == 26
    assert value(services, "sterna_prefix_cache_queries_total") == 10
    assert value(services, "sterna_prefix_cache_hits_total") == 4
    assert value(services, "sterna_weight_bytes") == 1000
    assert value(services, "sterna_kv_cache_bytes") == 2000
    assert value(services, "sterna_kv_cache_blocks") == 128
    info = {"isa": "none", "backend": "scripted", "threads": "1"}
    assert value(services, "sterna_engine_info", **info) == 1


async def test_http_requests_are_counted_by_route(
    client: httpx.AsyncClient, services: Services
) -> None:
    await client.get("/v1/models/alias/of-it")
    await client.get("/no/such/path")
    labels = {"method": "GET", "route": "/v1/models/{model_id:path}", "status": "200"}
    assert value(services, "sterna_http_requests_total", **labels) == 1
    labels = {"method": "GET", "route": "unknown", "status": "404"}
    assert value(services, "sterna_http_requests_total", **labels) == 1


def test_times_run_from_arrival_and_between_tokens(
    monkeypatch: pytest.MonkeyPatch, engine: AsyncEngine
) -> None:
    now = [10.0]
    monkeypatch.setattr(metrics, "monotonic", lambda: now[0])
    measured = Metrics(engine.stats)
    with measured.sequence(arrived_at=8.0, num_prompt_tokens=3) as meter:
        meter.count_token(None)
        now[0] = 13.5
        meter.count_token("length")
    read = measured.registry.get_sample_value
    assert read("sterna_time_to_first_token_seconds_sum") == 2.0
    assert read("sterna_inter_token_latency_seconds_sum") == 3.5
    assert read("sterna_e2e_request_latency_seconds_sum") == 5.5
    assert read("sterna_requests_total", {"outcome": "length"}) == 1


def test_each_app_has_its_own(
    folder: Path, settings: Settings, services: Services, engine: AsyncEngine
) -> None:
    tokenizer = Tokenizer.load(folder)
    other = create_app(settings, engine, tokenizer, SamplingDefaults()).state.services
    services.metrics.generation_tokens.inc()
    assert value(other, "sterna_generation_tokens_total") == 0
