from importlib.metadata import version

import httpx

from sterna.server.http.dependencies import Services
from tests.server.scraped import value

BODY = {"model": "scripted", "prompt": "Once"}


async def test_the_engine_is_read_at_each_scrape(
    client: httpx.AsyncClient, services: Services
) -> None:
    assert value(services, "sterna:engine_steps_total") == 0
    await client.post("/v1/completions", json=BODY)
    await client.post("/v1/completions", json=BODY)
    assert value(services, "sterna:engine_steps_total") == 26
    assert value(services, "sterna:computed_tokens_total") == 5 + 12 + 1 + 12
    assert value(services, "vllm:prefix_cache_queries_total") == 10
    assert value(services, "vllm:prefix_cache_hits_total") == 4
    assert value(services, "sterna:kv_cache_blocks") == 128
    assert value(services, "vllm:num_requests_waiting_by_reason", reason="capacity") == 0


async def test_tokens_of_steps_are_a_histogram(
    client: httpx.AsyncClient, services: Services
) -> None:
    await client.post("/v1/completions", json=BODY)
    name = "vllm:iteration_tokens_total"
    assert value(services, f"{name}_bucket", le="1.0") == 12
    assert value(services, f"{name}_bucket", le="8.0") == 13
    assert value(services, f"{name}_bucket", le="+Inf") == 13
    assert (value(services, f"{name}_sum"), value(services, f"{name}_count")) == (17, 13)


def test_what_computes_and_how_the_cache_is_laid_out(services: Services) -> None:
    found = {
        sample.name: sample.labels
        for family in services.metrics.registry.collect()
        for sample in family.samples
        if sample.name.endswith("_info")
    }
    facts = {"model": "scripted", "isa": "none", "backend": "scripted", "threads": "1"}
    facts["version"] = version("sterna")
    assert facts.items() <= found["sterna:engine_info"].items()
    cache = {"block_size": "4", "num_gpu_blocks": "128", "engine": "0"}
    assert cache.items() <= found["vllm:cache_config_info"].items()
