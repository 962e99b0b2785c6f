from math import inf, nan

import pytest

from sterna.engine.errors import RequestError
from sterna.engine.requests.logprobs import PromptLogprob
from sterna.engine.requests.request import FinishReason, Request, SamplingParams


def test_request_finishes_at_max_tokens() -> None:
    request = Request("r", [1, 2], SamplingParams(max_tokens=2))
    reasons = []
    for token_id in (5, 6):
        request.append(token_id)
        reasons.append(request.finish_reason)
    assert reasons == [None, FinishReason.LENGTH]
    assert (request.num_prompt_tokens, request.num_output_tokens) == (2, 2)


def test_stop_token_wins_over_length() -> None:
    request = Request("r", [1], SamplingParams(max_tokens=1, stop_token_ids=frozenset({5})))
    request.append(5)
    assert request.finish_reason is FinishReason.STOP


def test_stop_token_in_the_prompt_does_not_stop() -> None:
    request = Request("r", [5], SamplingParams(max_tokens=2, stop_token_ids=frozenset({5})))
    request.append(6)
    assert request.finish_reason is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_tokens", 0),
        ("temperature", -0.1),
        ("temperature", inf),
        ("temperature", nan),
        ("top_p", 0.0),
        ("top_p", 1.1),
        ("top_k", -1),
        ("min_p", 1.1),
        ("min_p", nan),
        ("presence_penalty", 2.1),
        ("presence_penalty", nan),
        ("frequency_penalty", -2.1),
        ("repetition_penalty", 0.0),
        ("repetition_penalty", 2.1),
        ("repetition_penalty", nan),
        ("logit_bias", {1: 100.5}),
        ("logit_bias", {1: nan}),
        ("min_tokens", -1),
        ("min_tokens", 2),
        ("num_logprobs", -1),
        ("num_logprobs", 21),
        ("prompt_logprobs", -1),
        ("prompt_logprobs", 21),
        ("priority", 2**63),
    ],
)
def test_value_out_of_range_is_refused_by_name(name: str, value: object) -> None:
    values = {"max_tokens": 1} | {name: value}
    with pytest.raises(RequestError, match=name):
        SamplingParams(**values)  # type: ignore[arg-type]


def test_nothing_need_be_written_when_the_prompt_is_scored() -> None:
    assert SamplingParams(max_tokens=0, prompt_logprobs=0).max_tokens == 0


def test_logits_are_needed_from_the_first_token_without_a_score_then_of_the_last() -> None:
    """The logits at a position score the token after it."""
    request = Request("r", [1, 2, 3, 4], SamplingParams(max_tokens=4, prompt_logprobs=0))
    assert request.prompt_logprobs is not None
    positions = []
    for token_id in (2, 3, 4):
        positions.append(request.next_logits_position)
        request.prompt_logprobs.append(PromptLogprob(token_id, -0.5))
    positions.append(request.next_logits_position)
    request.append(5)
    positions.append(request.next_logits_position)
    assert positions == [0, 1, 2, 3, 4]


def test_logits_are_needed_of_the_last_token_alone_where_nothing_is_scored() -> None:
    request = Request("r", [1, 2, 3, 4], SamplingParams(max_tokens=4))
    assert request.next_logits_position == 3
    request.append(5)
    assert request.next_logits_position == 4


def test_scores_end_with_the_prompt() -> None:
    request = Request("r", [1, 2, 3, 4], SamplingParams(max_tokens=4, prompt_logprobs=0))
    assert [request.num_scored(count) for count in (1, 2, 3, 4)] == [1, 2, 3, 3]
