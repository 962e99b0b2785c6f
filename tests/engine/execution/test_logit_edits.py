"""Penalties, biases and bans are vLLM's, by the formula written out once more in plain Python."""

from contextlib import closing
from typing import Any

import numpy as np
import pytest

from sterna.engine.constraints.guide import Guide
from sterna.engine.constraints.mask_pool import MaskPool
from sterna.engine.execution.logit_edits import edit_logits
from sterna.engine.kernels import BANNED
from sterna.engine.requests.request import Request, SamplingParams
from tests.engine.matchers import Rule, even

VOCAB_SIZE = 77
PROMPT, OUTPUT = [3, 4, 4, 70], [4, 9, 9, 9, 76]
STOPS = frozenset({9, 11})


def make_request(**values: Any) -> Request:
    params = SamplingParams(max_tokens=99, stop_token_ids=STOPS, **values)
    request = Request("r", list(PROMPT), params)
    for token_id in OUTPUT:
        request.token_ids.append(token_id)
        if request.token_counts:
            request.token_counts.add(token_id)
    return request


def edited(request: Request) -> tuple[list[float], list[float]]:
    """The logits before and after."""
    row = np.random.default_rng(0).standard_normal(VOCAB_SIZE).astype(np.float32) * 5
    before = row.tolist()
    edit_logits(row, request)
    return before, row.tolist()


@pytest.mark.parametrize(
    "values",
    [
        {"presence_penalty": 1.5},
        {"presence_penalty": -2.0},
        {"frequency_penalty": 0.5},
        {"frequency_penalty": -0.25},
        {"repetition_penalty": 1.3},
        {"repetition_penalty": 0.5},
        {"logit_bias": {3: 7.5, 76: -100.0}},
        {
            "presence_penalty": 0.5,
            "frequency_penalty": 1.0,
            "repetition_penalty": 1.1,
            "logit_bias": {9: -3.0, 20: 1.0},
        },
    ],
    ids=str,
)
def test_penalties_and_bias(values: dict[str, Any]) -> None:
    before, after = edited(make_request(**values))
    for token_id, logit in enumerate(before):
        expected, repetition = logit, values.get("repetition_penalty", 1.0)
        if token_id in PROMPT + OUTPUT:
            expected = expected / repetition if expected > 0 else expected * repetition
        expected -= values.get("frequency_penalty", 0.0) * OUTPUT.count(token_id)
        expected -= values.get("presence_penalty", 0.0) * (token_id in OUTPUT)
        expected += values.get("logit_bias", {}).get(token_id, 0.0)
        assert after[token_id] == pytest.approx(expected, abs=1e-5)  # float32, below 100


def test_smallest_repetition_penalty_leaves_finite_logits() -> None:
    _, after = edited(make_request(repetition_penalty=1e-300))
    assert np.isfinite(after).all()
    assert BANNED not in after


@pytest.mark.parametrize(("min_tokens", "banned"), [(5, set()), (6, set(STOPS))])
def test_stop_tokens_are_banned_until_there_are_min_tokens(
    min_tokens: int, banned: set[int]
) -> None:
    before, after = edited(make_request(min_tokens=min_tokens))
    assert after == [BANNED if i in banned else logit for i, logit in enumerate(before)]


def test_mask_bans_what_the_constraint_does_not_allow_even_with_a_bias() -> None:
    request = make_request(logit_bias={1: 100.0, 2: 50.0}, min_tokens=9)
    with closing(MaskPool()) as masks:
        request.guide = Guide(even(VOCAB_SIZE), VOCAB_SIZE, masks)
        assert request.guide.failure() is None
    before, after = edited(request)
    assert after[2] == pytest.approx(before[2] + 50)
    for token_id in range(VOCAB_SIZE):
        assert (after[token_id] == BANNED) == (token_id % 2 == 1 or token_id in STOPS)


def test_constraint_at_its_end_allows_stop_tokens_alone() -> None:
    request = make_request(min_tokens=9)
    with closing(MaskPool()) as masks:
        request.guide = Guide(Rule(VOCAB_SIZE, lambda *_: True, length=0), VOCAB_SIZE, masks)
        assert request.guide.failure() is None
    before, after = edited(request)
    for token_id in range(VOCAB_SIZE):
        assert after[token_id] == (before[token_id] if token_id in STOPS else BANNED)
