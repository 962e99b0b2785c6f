"""Bounds of histograms are vLLM's, to the last one: readers name them in their queries."""

from math import inf

import pytest

from sterna.server.http.dependencies import Services
from tests.server.scripted import MAX_CONTEXT

FIRST_TOKEN = (
    "0.001 0.005 0.01 0.02 0.04 0.06 0.08 0.1 0.25 0.5 0.75 1 2.5 5 7.5 10 20 40 80 160 640 2560"
)
BETWEEN_TOKENS = "0.01 0.025 0.05 0.075 0.1 0.15 0.2 0.3 0.4 0.5 0.75 1 2.5 5 7.5 10 20 40 80"
REQUEST = "0.3 0.5 0.8 1 1.5 2 2.5 5 10 15 20 30 40 50 60 120 240 480 960 1920 7680"
CONTEXT = "1 2 5 10 20 50 100 200"
"""Up to the context."""

VLLM = {
    "time_to_first_token_seconds": FIRST_TOKEN,
    "inter_token_latency_seconds": BETWEEN_TOKENS,
    "request_time_per_output_token_seconds": BETWEEN_TOKENS,
    "e2e_request_latency_seconds": REQUEST,
    "request_queue_time_seconds": REQUEST,
    "request_prefill_time_seconds": REQUEST,
    "request_decode_time_seconds": REQUEST,
    "request_inference_time_seconds": REQUEST,
    "request_prompt_tokens": CONTEXT,
    "request_generation_tokens": CONTEXT,
    "request_max_num_generation_tokens": CONTEXT,
    "request_params_max_tokens": CONTEXT,
    "request_prefill_kv_computed_tokens": CONTEXT,
    "iteration_tokens_total": "1 8 16 32 64 128 256 512 1024 2048 4096 8192 16384",
    "request_params_n": "1 2 5 10 20",
}
OF_HTTP = {
    "http_request_duration_seconds": "0.1 0.5 1",
    "http_request_duration_highr_seconds": (
        "0.01 0.025 0.05 0.075 0.1 0.25 0.5 0.75 1 1.5 2 2.5 3 3.5 4 4.5 5 7.5 10 30 60"
    ),
}
EXPECTED = {f"vllm:{name}": bounds for name, bounds in VLLM.items()} | OF_HTTP


def served(services: Services) -> dict[str, list[float]]:
    """Bounds of every histogram."""
    services.metrics.http.count("GET", "/v1/models", 200, 0.1)  # so that a route is known
    return {
        family.name: [float(s.labels["le"]) for s in family.samples if "le" in s.labels]
        for family in services.metrics.registry.collect()
        if family.type == "histogram"
    }


@pytest.mark.parametrize("name", EXPECTED)
def test_bounds_are_those_of_vllm(services: Services, name: str) -> None:
    assert served(services)[name] == [*map(float, EXPECTED[name].split()), inf]


def test_every_histogram_is_among_them(services: Services) -> None:
    assert MAX_CONTEXT < 500, "the next bound"
    assert set(served(services)) == set(EXPECTED)
