"""The numbers add up, and two apps in one process do not share them."""

from pathlib import Path

import httpx

from sterna.engine import AsyncEngine
from sterna.server.http.dependencies import Services
from sterna.server.metrics.requests import FINISHED_REASONS
from sterna.server.settings import Settings
from tests.server.scraped import value
from tests.server.scripted import ScriptedModel, ids_of, make_app

BODY = {"model": "scripted", "prompt": "Once"}


async def test_tokens_and_outcomes_are_counted(
    client: httpx.AsyncClient, services: Services, model: ScriptedModel
) -> None:
    await client.post("/v1/completions", json=BODY | {"n": 2})
    await client.post("/v1/completions", json=BODY | {"max_tokens": 3})
    model.reply = lambda prompt, params: [*ids_of("ab"), -1]
    await client.post("/v1/completions", json=BODY)
    assert value(services, "vllm:prompt_tokens_total") == 4 * 5
    assert value(services, "vllm:generation_tokens_total") == 2 * 13 + 3 + 2
    counts = {
        reason: value(services, "vllm:request_success_total", finished_reason=reason)
        for reason in FINISHED_REASONS
    }
    assert counts == {"stop": 2, "length": 1, "abort": 0, "error": 1}
    assert value(services, "vllm:time_to_first_token_seconds_count") == 4
    assert value(services, "vllm:inter_token_latency_seconds_count") == 2 * 12 + 2 + 1
    assert value(services, "vllm:e2e_request_latency_seconds_count") == 3


async def test_prompt_tokens_are_told_by_source(
    client: httpx.AsyncClient, services: Services
) -> None:
    await client.post("/v1/completions", json=BODY)
    await client.post("/v1/completions", json=BODY)
    total = "vllm:prompt_tokens_by_source_total"
    assert value(services, total, source="local_compute") == 5 + 1
    assert value(services, total, source="local_cache_hit") == 4
    assert value(services, "vllm:prompt_tokens_cached_total") == 4
    assert value(services, "vllm:request_prefill_kv_computed_tokens_sum") == 5 + 1


async def test_sizes_of_requests_are_observed(
    client: httpx.AsyncClient, services: Services
) -> None:
    await client.post("/v1/completions", json=BODY | {"n": 2, "max_tokens": 20})
    await client.post("/v1/completions", json=BODY | {"max_tokens": 3})
    assert value(services, "vllm:request_params_max_tokens_sum") == 20 + 20 + 3
    assert value(services, "vllm:request_params_n_sum") == 2 + 1
    assert value(services, "vllm:request_params_n_count") == 2
    assert value(services, "vllm:request_prompt_tokens_sum") == 3 * 5
    assert value(services, "vllm:request_generation_tokens_sum") == 13 + 13 + 3
    assert value(services, "vllm:request_max_num_generation_tokens_sum") == 13 + 3


def test_each_app_has_its_own(
    folder: Path, settings: Settings, services: Services, engine: AsyncEngine
) -> None:
    other = make_app(folder, settings, engine).state.services
    services.metrics.requests.counters.generation_tokens.inc()
    assert value(other, "vllm:generation_tokens_total") == 0
