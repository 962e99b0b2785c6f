"""A prompt's logprobs are the model's, however it is cut into steps and whoever else runs."""

import random
from typing import Any

import numpy as np
import pytest
import torch

from sterna.engine.core import EngineCore
from sterna.engine.execution.model_runner import ModelRunner
from sterna.engine.footprint import Footprint
from sterna.engine.kernels import BACKENDS, CACHE_TOKENS, Program
from sterna.engine.model.families.bitnet import BitNet
from sterna.engine.model.families.rotary import attention_shape
from sterna.engine.requests.batch import SampledToken
from sterna.engine.requests.logprobs import PromptLogprob
from sterna.engine.requests.outputs import TokenOutput
from sterna.engine.requests.request import FinishReason, Request, SamplingParams
from sterna.engine.scheduling.kv_cache import KVCache
from sterna.engine.scheduling.scheduler import Scheduler
from tests.engine.kernels.steps import plain_step
from tests.engine.random_weights import Shape, random_weights

MAX_CONTEXT = 64
NUM_BLOCKS = 10
MAX_SCORED_ROWS = 48
SHAPE = Shape(hidden_size=64, mlp_size=96, num_heads=2, num_kv_heads=1, head_size=32)
PROMPT = np.random.default_rng(0).integers(0, SHAPE.vocab_size, 45).tolist()


def make_program(backend: str) -> Program:
    weights = random_weights(SHAPE, MAX_CONTEXT)
    shape = attention_shape(weights.config, MAX_CONTEXT, NUM_BLOCKS)
    num_threads = 2 if backend == "native" else 1
    program = BACKENDS[backend].make_program(shape, num_threads, 64, 4 + MAX_SCORED_ROWS)
    BitNet().record(program, weights, "int8")
    return program


@pytest.fixture(scope="module")
def native() -> Program:
    return make_program("native")


def make_request(name: str, max_tokens: int = 0, **values: Any) -> Request:
    params = SamplingParams(max_tokens, prompt_logprobs=3, temperature=0.0, **values)
    return Request(name, list(PROMPT), params)


def run(
    program: Program, requests: list[Request], scored_rows: int = MAX_SCORED_ROWS, blocks: int = 10
) -> tuple[dict[str, list[TokenOutput]], EngineCore]:
    scheduler = Scheduler(KVCache(blocks, CACHE_TOKENS), 64, 4, 64, scored_rows)
    core = EngineCore(scheduler, ModelRunner(program), Footprint(0, 0, "", "", 1))
    outputs: dict[str, list[TokenOutput]] = {request.request_id: [] for request in requests}
    for request in requests:
        core.add(request)
    while core.has_work:
        for output in core.step():
            assert isinstance(output, TokenOutput)
            outputs[output.request_id].append(output)
    return outputs, core


def scores(outputs: list[TokenOutput]) -> tuple[PromptLogprob, ...]:
    first, *later = outputs
    assert first.prompt_logprobs is not None
    assert all(output.prompt_logprobs is None for output in later)
    return first.prompt_logprobs


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_scores_are_the_log_softmax_of_the_logits(backend: str) -> None:
    program = make_program(backend)
    step = plain_step(len(PROMPT))
    step.token_ids[:] = PROMPT
    expected = torch.from_numpy(program.run(step)).double().log_softmax(-1)
    outputs, _ = run(make_program(backend), [make_request("a")])
    first, *others = scores(outputs["a"])
    assert first == PromptLogprob(PROMPT[0], None)
    assert [score.token_id for score in others] == PROMPT[1:]
    for row, score in zip(expected, others, strict=False):
        assert score.logprob == pytest.approx(float(row[score.token_id]), abs=2e-6)
        assert score.rank == int((row >= row[score.token_id]).sum())
        values, ids = row.topk(3)
        assert [top.token_id for top in score.top] == ids.tolist()
        assert [top.logprob for top in score.top] == pytest.approx(values.tolist(), abs=2e-6)


@pytest.mark.parametrize("scored_rows", [1, 7, 44])
def test_they_are_the_same_in_one_chunk_or_several(native: Program, scored_rows: int) -> None:
    whole, _ = run(native, [make_request("a", 4)])
    parts, core = run(native, [make_request("a", 4)], scored_rows)
    assert parts == whole
    assert core.stats().num_steps == -(-(len(PROMPT) - 1) // scored_rows) + 3


def test_they_are_the_same_in_company_with_preemptions_and_a_cached_prefix(native: Program) -> None:
    alone, _ = run(native, [make_request("a", 12)])
    requests = [make_request(str(i), 12) for i in range(4)]
    requests.append(Request("plain", list(PROMPT), SamplingParams(12, temperature=0.0)))
    together, core = run(native, requests, scored_rows=20, blocks=9)
    assert core.stats().num_preemptions > 0
    for i in range(4):
        assert scores(together[str(i)]) == scores(alone["a"])
        assert [o.token_id for o in together[str(i)]] == [o.token_id for o in alone["a"]]


def test_scoring_alone_gives_one_output_without_a_token(native: Program) -> None:
    outputs, core = run(native, [make_request("a")])
    [output] = outputs["a"]
    assert (output.token_id, output.finish_reason) == (None, FinishReason.LENGTH)
    assert core.stats().num_steps == 1
    assert core.stats().kv_blocks_used == 0


def test_prompt_of_one_token_has_nothing_to_score(native: Program) -> None:
    request = Request("a", [5], SamplingParams(0, prompt_logprobs=0))
    outputs, _ = run(native, [request])
    assert scores(outputs["a"]) == (PromptLogprob(5, None),)


def test_scoring_holds_up_nobody_else() -> None:
    """A plain prompt behind two that are scored a row at a time starts in the first step."""
    scheduler = Scheduler(KVCache(NUM_BLOCKS, CACHE_TOKENS), 64, 4, 64, max_scored_rows=1)
    for request in (make_request("a"), make_request("b"), Request("c", [1, 2], SamplingParams(5))):
        scheduler.add(request)
    sizes = {entry.request.request_id: entry.num_tokens for entry in scheduler.schedule()}
    assert sizes == {"a": 1, "c": 2}


def test_no_step_has_more_rows_of_logits_than_allowed() -> None:
    rng = random.Random(0)
    scheduler = Scheduler(KVCache(40, CACHE_TOKENS), 64, 4, 64, max_scored_rows=10)
    for i in range(12):
        params = SamplingParams(rng.randrange(1, 9), prompt_logprobs=rng.choice([None, 0]))
        scheduler.add(Request(str(i), [i] * rng.randrange(1, 40), params))
    seen = set()
    while batch := scheduler.schedule():
        num_scored = sum(entry.num_scored for entry in batch)
        assert num_scored <= 10
        assert sum(entry.samples for entry in batch) <= 4
        seen.add(num_scored)
        for entry in batch:
            scored = entry.request.prompt_logprobs
            if scored is not None:
                scored += [PromptLogprob(0, 0.0)] * entry.num_scored
        scheduler.update(batch, [(SampledToken(5, -0.5),) for entry in batch if entry.samples])
    assert 10 in seen
