"""Constraints hold in full batches, through preemptions and aborts; a broken one fails alone.

Real kernels, and matchers whose rule can be checked token by token.
"""

import random
from collections import defaultdict
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from math import nan
from threading import Event
from typing import Any

import pytest

from sterna.engine.constraints.guide import Guide
from sterna.engine.constraints.mask_pool import MaskPool
from sterna.engine.core import NOT_FINITE, EngineCore
from sterna.engine.errors import ConstraintError, GenerationError
from sterna.engine.execution.model_runner import ModelRunner
from sterna.engine.footprint import Footprint
from sterna.engine.kernels import BACKENDS, CACHE_TOKENS, Program, widen
from sterna.engine.model.families.bitnet import BitNet
from sterna.engine.model.families.rotary import attention_shape
from sterna.engine.requests.outputs import RequestFailed, TokenOutput
from sterna.engine.requests.request import FinishReason, Request, SamplingParams
from sterna.engine.scheduling.kv_cache import KVCache
from sterna.engine.scheduling.scheduler import Scheduler
from tests.engine.matchers import Rule, broken, even
from tests.engine.random_weights import Shape, random_weights

MAX_CONTEXT = 128
NUM_BLOCKS = 8
POISON, STOP = 300, 8
NOTHING = "no token is allowed"
SHAPE = Shape(hidden_size=64, mlp_size=96, num_heads=2, num_kv_heads=1, head_size=32)
VOCAB_SIZE = SHAPE.vocab_size

Outputs = dict[str, list[TokenOutput | RequestFailed]]


@pytest.fixture(scope="module", params=["native", "reference"])
def program(request: pytest.FixtureRequest) -> Program:
    """A network whose output is not finite when it reads the token POISON."""
    weights = random_weights(SHAPE, MAX_CONTEXT)
    embedding = widen(weights.embedding).copy()
    embedding[POISON] = nan
    shape = attention_shape(weights.config, MAX_CONTEXT, NUM_BLOCKS)
    num_threads = 2 if request.param == "native" else 1
    program = BACKENDS[request.param].make_program(shape, num_threads, 64, 8)
    BitNet().record(program, replace(weights, embedding=embedding), "int8")
    return program


def make_request(name: str, prompt: list[int], max_tokens: int = 24, **values: Any) -> Request:
    params = SamplingParams(max_tokens, **values)
    return Request(name, prompt, params, seed=int(name))


def run(
    program: Program,
    requests: list[Request],
    rng: random.Random | None = None,
    pool: MaskPool | None = None,
) -> Outputs:
    """Run requests to their end; with rng, some are aborted on the way."""
    core = EngineCore(
        Scheduler(KVCache(NUM_BLOCKS, CACHE_TOKENS), 64, 8, 64),
        ModelRunner(program),
        Footprint(0, 0, "", "", 1),
    )
    outputs: defaultdict[str, list[TokenOutput | RequestFailed]] = defaultdict(list)
    with closing(pool or MaskPool()) as masks:
        for request in requests:
            if request.params.constraint:
                request.guide = Guide(request.params.constraint, VOCAB_SIZE, masks)
            core.add(request)
        while core.has_work:
            for output in core.step():
                outputs[output.request_id].append(output)
            if rng and rng.random() < 0.1:
                core.abort(rng.choice(requests).request_id)
    assert core.stats().kv_blocks_used == 0
    if rng:
        assert core.stats().num_preemptions > 0
    return outputs


def tokens(outputs: list[TokenOutput | RequestFailed]) -> list[int]:
    return [o.token_id for o in outputs if isinstance(o, TokenOutput) and o.token_id is not None]


def rising(length: int | None = None) -> Rule:
    """Each id is larger than the last, by 20 at most: so there is always one left."""
    return Rule(VOCAB_SIZE, lambda v, so_far: 0 < v - max(so_far, default=0) <= 20, length)


@pytest.mark.parametrize("seed", range(2))
def test_full_batches_with_preemptions_and_aborts(program: Program, seed: int) -> None:
    rules = [None, even(VOCAB_SIZE), rising(length=9)]
    requests = [
        make_request(
            str(i),
            [i + 1] * 20,
            40,
            constraint=rules[i % 3],
            temperature=2.0 * (i % 2),
            logit_bias={POISON: -100.0},
        )
        for i in range(9)
    ]
    outputs = run(program, requests, random.Random(seed))
    assert any(request.finish_reason is FinishReason.ABORT for request in requests)
    for i, request in enumerate(requests):
        got = tokens(outputs[request.request_id])
        if rules[i % 3] is rules[1]:
            assert all(token_id % 2 == 0 for token_id in got)
        if rules[i % 3] is rules[2]:
            assert all(a < b for a, b in pairwise(got))
        if request.finish_reason is FinishReason.ABORT:
            continue
        assert request.finish_reason is (
            FinishReason.STOP if rules[i % 3] is rules[2] else FinishReason.LENGTH
        )
        assert len(got) == (9 if rules[i % 3] is rules[2] else 40)
    unconstrained = tokens(outputs["0"]) + tokens(outputs["3"])
    assert any(token_id % 2 for token_id in unconstrained), "or the test would show nothing"


def test_end_without_a_stop_token_is_an_output_without_a_token(program: Program) -> None:
    *_, before, last = run(program, [make_request("1", [5], constraint=rising(3))])["1"]
    assert isinstance(before, TokenOutput)
    assert before.token_id is not None
    assert before.finish_reason is None
    assert last == TokenOutput("1", None, 0.0, 0, FinishReason.STOP)


def test_end_with_a_stop_token_is_that_token(program: Program) -> None:
    """Even when it comes before ``min_tokens``."""
    request = make_request(
        "1", [5], constraint=rising(3), stop_token_ids=frozenset({STOP}), min_tokens=10
    )
    got = tokens(run(program, [request])["1"])
    assert (len(got), got[-1]) == (4, STOP)
    assert request.finish_reason is FinishReason.STOP


@pytest.mark.parametrize(
    ("constraint", "count", "kind", "reason"),
    [
        (broken(VOCAB_SIZE, after=0), 0, GenerationError, "the grammar is broken"),
        (broken(VOCAB_SIZE, after=4), 4, GenerationError, "the grammar is broken"),
        (Rule(VOCAB_SIZE, lambda _, so_far: len(so_far) < 2), 2, ConstraintError, NOTHING),
    ],
    ids=["at once", "later", "nothing allowed"],
)
def test_broken_constraint_fails_its_request_alone(
    program: Program, constraint: Rule, count: int, kind: type[GenerationError], reason: str
) -> None:
    good = [make_request(str(i), [i], constraint=even(VOCAB_SIZE)) for i in (1, 2)]
    bad = make_request("3", [3], constraint=constraint)
    outputs = run(program, [good[0], bad, good[1]])
    *before, failed = outputs["3"]
    assert len(before) == count
    assert isinstance(failed, RequestFailed)
    assert type(failed.error) is kind
    assert reason in str(failed.error)
    for request in good:
        assert len(tokens(outputs[request.request_id])) == 24


@pytest.mark.parametrize("num_hanging", [1, 3])
def test_constraint_that_hangs_fails_its_request_alone(program: Program, num_hanging: int) -> None:
    """Even when every thread hangs."""

    def good() -> list[Request]:
        rules = [None, even(VOCAB_SIZE), None, rising(), even(VOCAB_SIZE)]
        return [make_request(str(i), [i], constraint=rule) for i, rule in enumerate(rules, 1)]

    gate = Event()

    def allows(_: int, so_far: list[int]) -> bool:
        return len(so_far) < 3 or gate.wait()

    bad = [
        make_request(str(i), [i], constraint=Rule(VOCAB_SIZE, allows))
        for i in range(6, 6 + num_hanging)
    ]
    alone = run(program, good())
    try:
        outputs = run(program, [*bad, *good()], pool=MaskPool(2, 0.05, 20))
    finally:
        gate.set()
    for request in bad:
        *before, failed = outputs.pop(request.request_id)
        assert len(before) == 3
        assert isinstance(failed, RequestFailed)
        assert isinstance(failed.error, ConstraintError)
    for name, expected in alone.items():
        assert tokens(outputs[name]) == tokens(expected)


@pytest.mark.parametrize(
    "values",
    [
        {"constraint": even(VOCAB_SIZE)},
        {"constraint": rising(0), "stop_token_ids": frozenset({STOP})},
        {"min_tokens": 3, "stop_token_ids": frozenset({STOP})},
        {"presence_penalty": 1.0, "repetition_penalty": 1.5},
        {"logit_bias": {3: 100.0}},
        {"num_logprobs": 3},
        {"prompt_logprobs": 3},
    ],
    ids=",".join,
)
def test_output_that_is_not_finite_fails_its_request_alone(
    program: Program, values: dict[str, Any]
) -> None:
    """Whatever is banned, added or asked for: it is found before any of that."""
    good, bad = (
        make_request(str(i), [i, token, 2], **values) for i, token in ((1, 1), (2, POISON))
    )
    outputs = run(program, [bad, good])
    [failed] = outputs["2"]
    assert isinstance(failed, RequestFailed)
    assert (type(failed.error), str(failed.error)) == (GenerationError, NOT_FINITE)
    assert len(tokens(outputs["1"])) >= 1


def test_choices_to_one_constraint_each_start_their_own_matcher(program: Program) -> None:
    rule = rising(length=5)
    requests = [make_request(str(i), [7, 7], constraint=rule) for i in range(1, 5)]
    outputs = run(program, requests)
    texts = [tokens(outputs[request.request_id]) for request in requests]
    assert all(len(text) == 5 and sorted(text) == text for text in texts)
    assert len({tuple(text) for text in texts}) > 1
