"""Intervals begin and end where vLLM's do."""

from dataclasses import replace

import pytest

from sterna.engine import ArithmeticModel, AsyncEngine, TokenOutput, TokenTimes
from sterna.server.metrics import Metrics, SequenceMeter, prompt
from tests.server.scraped import MODEL_LABELS

QUEUED_AT, SCHEDULED_AT = 9.0, 11.0


def token(sampled_at: float) -> TokenOutput:
    return TokenOutput("", 1, 0.0, 0, None, times=TokenTimes(QUEUED_AT, SCHEDULED_AT, sampled_at))


def total(metrics: Metrics, name: str) -> float | None:
    return metrics.registry.get_sample_value(f"vllm:{name}_sum", MODEL_LABELS)


@pytest.fixture
def metrics(engine: AsyncEngine) -> Metrics:
    return Metrics(engine, "scripted", ArithmeticModel())


def sequence(metrics: Metrics) -> SequenceMeter:
    """Of a request that came at 8."""
    return metrics.prompt(8.0, num_prompt_tokens=3, max_tokens=5, num_choices=1).sequence()


def test_times_run_from_arrival_and_between_events_in_the_engine(
    monkeypatch: pytest.MonkeyPatch, metrics: Metrics
) -> None:
    now = [12.5]
    monkeypatch.setattr(prompt, "monotonic", lambda: now[0])
    with sequence(metrics) as meter:
        meter.count_token(token(12.0), None)
        meter.count_token(token(13.0), None)
        now[0] = 17.5
        meter.count_token(token(17.0), "length")
    assert total(metrics, "time_to_first_token_seconds") == 12.5 - 8
    assert total(metrics, "e2e_request_latency_seconds") == 17.5 - 8
    assert total(metrics, "request_queue_time_seconds") == 11 - 9
    assert total(metrics, "request_prefill_time_seconds") == 12 - 11
    assert total(metrics, "request_decode_time_seconds") == 17 - 12
    assert total(metrics, "request_inference_time_seconds") == 17 - 11
    assert total(metrics, "inter_token_latency_seconds") == 1 + 4
    assert total(metrics, "request_time_per_output_token_seconds") == 5 / 2


def test_one_token_has_no_time_between_tokens(metrics: Metrics) -> None:
    with sequence(metrics) as meter:
        meter.count_token(token(12.0), "stop")
    name = "vllm:request_time_per_output_token_seconds_count"
    assert metrics.registry.get_sample_value(name, MODEL_LABELS) == 0


def test_a_sequence_that_is_left_has_no_length(metrics: Metrics) -> None:
    with sequence(metrics) as meter:
        meter.count_token(token(12.0), None)
    assert total(metrics, "request_generation_tokens") == 0
    assert metrics.requests.counters.success["abort"]._value.get() == 1


def test_a_prompt_that_was_only_scored_has_no_first_token(metrics: Metrics) -> None:
    with sequence(metrics) as meter:
        meter.count_token(replace(token(12.0), token_id=None), "length")
    assert total(metrics, "time_to_first_token_seconds") == 0
    assert total(metrics, "request_prompt_tokens") == 3
    assert total(metrics, "request_generation_tokens") == 0
    assert total(metrics, "request_decode_time_seconds") == 0
