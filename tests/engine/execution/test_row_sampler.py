"""Rows are edited for the draw alone: what a request is told is the model's own distribution."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pytest

from sterna.engine.constraints.guide import Guide
from sterna.engine.constraints.mask_pool import MaskPool
from sterna.engine.execution.row_sampler import sample_rows
from sterna.engine.kernels import Program
from sterna.engine.requests.batch import Ended, Failed, NotFinite, Outcome, SampledToken
from sterna.engine.requests.logprobs import PromptLogprob
from sterna.engine.requests.request import FinishReason, Request, SamplingParams
from tests.engine.kernels.programs import BACKENDS, make_program
from tests.engine.matchers import Rule, even

VOCAB_SIZE = 200


@pytest.fixture(params=BACKENDS)
def program(request: pytest.FixtureRequest) -> Program:
    return make_program(request.param)


@pytest.fixture
def masks() -> Iterator[MaskPool]:
    with closing(MaskPool()) as masks:
        yield masks


def make_logits(num_rows: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((num_rows, VOCAB_SIZE)).astype(np.float32)


def make_request(masks: MaskPool | None = None, **values: Any) -> Request:
    values = {"max_tokens": 5, "temperature": 0.0} | values
    request = Request("r", [1, 2], SamplingParams(**values))
    if request.params.constraint:
        assert masks is not None
        request.guide = Guide(request.params.constraint, VOCAB_SIZE, masks)
    return request


def as_token(outcome: Outcome) -> SampledToken:
    assert isinstance(outcome, SampledToken)
    return outcome


def test_rows_of_plain_requests_stay_as_they_are(program: Program) -> None:
    logits = make_logits(3)
    before = logits.copy()
    biased = make_request(logit_bias={5: 100.0})
    sampled = sample_rows(program, logits, [make_request(), biased, make_request()])
    assert [token.token_id for token in map(as_token, sampled)] == [
        before[0].argmax(),
        5,
        before[2].argmax(),
    ]
    np.testing.assert_array_equal(logits[[0, 2]], before[[0, 2]])


def test_logprobs_are_of_the_model_s_own_distribution(program: Program) -> None:
    logits = make_logits(1)
    expected = program.logprobs(logits.copy(), np.array([5], np.int32), 3)
    request = make_request(logit_bias={5: 100.0}, num_logprobs=3)
    token = as_token(*sample_rows(program, logits, [request]))
    assert token.token_id == 5
    assert token.logprob == float(expected.of_tokens[0])
    assert [top.token_id for top in token.top_logprobs] == expected.top_token_ids[0].tolist()
    assert [top.logprob for top in token.top_logprobs] == expected.top_logprobs[0].tolist()
    assert 5 not in expected.top_token_ids, "or the test would show nothing"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_mask_does_not_hide_what_is_not_finite(
    program: Program, masks: MaskPool, bad: float
) -> None:
    """The bad logit's token is banned, so the draw would never meet it."""
    logits = make_logits(2)
    logits[0, 7] = bad
    requests = [make_request(masks, constraint=even(VOCAB_SIZE)) for _ in range(2)]
    failed, token = sample_rows(program, logits, requests)
    assert failed == NotFinite()
    assert isinstance(token, SampledToken)


def test_scoring_alone_needs_a_finite_row_and_gives_no_token(program: Program) -> None:
    logits = make_logits(2)
    logits[0, 7] = np.nan
    requests = [make_request(max_tokens=0, prompt_logprobs=0) for _ in range(2)]
    failed, scored = sample_rows(program, logits, requests)
    assert failed == NotFinite()
    assert scored == Ended(FinishReason.LENGTH)


def test_prompt_whose_scores_are_not_finite_gives_no_token(program: Program) -> None:
    request = make_request(prompt_logprobs=0)
    assert request.prompt_logprobs is not None
    request.prompt_logprobs.append(PromptLogprob(2, np.nan))
    assert sample_rows(program, make_logits(1), [request]) == [NotFinite()]


def test_stop_token_is_not_drawn_before_min_tokens(program: Program) -> None:
    logits = make_logits(1)
    likeliest, second = np.argsort(-logits[0])[:2].tolist()
    request = make_request(min_tokens=1, stop_token_ids=frozenset({likeliest}))
    assert as_token(*sample_rows(program, logits, [request])).token_id == second


def test_request_that_allows_no_token_fails(program: Program) -> None:
    every = frozenset(range(VOCAB_SIZE))
    request = make_request(min_tokens=1, stop_token_ids=every)
    [outcome] = sample_rows(program, make_logits(1), [request])
    assert isinstance(outcome, Failed)
    assert "no token is allowed" in str(outcome.error)


def test_fulfilled_constraint_ends_with_a_stop_token_if_there_is_one(
    program: Program, masks: MaskPool
) -> None:
    fulfilled = Rule(VOCAB_SIZE, lambda *_: True, length=0)
    silent = make_request(masks, constraint=fulfilled)
    telling = make_request(masks, constraint=fulfilled, stop_token_ids=frozenset({9}))
    end, token = sample_rows(program, make_logits(2), [silent, telling])
    assert end == Ended(FinishReason.STOP)
    assert as_token(token).token_id == 9
