"""The runner with real kernels: what a request whose logits are not finite does to the others."""

from dataclasses import replace
from math import inf

import pytest

from sterna.engine.core import EngineCore
from sterna.engine.execution.model_runner import ModelRunner
from sterna.engine.footprint import Footprint
from sterna.engine.kernels import CACHE_TOKENS, NativeProgram, Program, supported_isas, widen
from sterna.engine.model.families.bitnet import BitNet
from sterna.engine.model.families.rotary import attention_shape
from sterna.engine.requests.outputs import RequestFailed, TokenOutput
from sterna.engine.requests.request import Request, SamplingParams
from sterna.engine.scheduling.kv_cache import KVCache
from sterna.engine.scheduling.scheduler import Scheduler
from tests.engine.random_weights import Shape, random_weights

NUM_BLOCKS = 6
CACHE_SIZE = NUM_BLOCKS * CACHE_TOKENS
POISON = 300
SHAPE = Shape(hidden_size=64, mlp_size=96, num_heads=2, num_kv_heads=1, head_size=32)


@pytest.fixture(params=supported_isas())
def program(request: pytest.FixtureRequest) -> Program:
    """A network that breaks down when it reads the token POISON."""
    weights = random_weights(SHAPE, CACHE_SIZE)
    embedding = widen(weights.embedding).copy()  # the head is another matrix now
    embedding[POISON] = inf
    weights = replace(weights, embedding=embedding)
    shape = attention_shape(weights.config, CACHE_SIZE, NUM_BLOCKS)
    program = NativeProgram(shape, 1, CACHE_SIZE, 8, request.param)
    BitNet().record(program, weights, "int8")
    return program


def make_core(program: Program) -> EngineCore:
    scheduler = Scheduler(KVCache(NUM_BLOCKS, CACHE_TOKENS), CACHE_SIZE, 8, CACHE_SIZE)
    return EngineCore(scheduler, ModelRunner(program), Footprint(0, 0, "", "", 1))


def run(core: EngineCore, *prompts: list[int]) -> list[list[TokenOutput | RequestFailed]]:
    for i, prompt in enumerate(prompts):
        core.add(Request(str(i), list(prompt), SamplingParams(max_tokens=4, temperature=0.0)))
    outputs: list[list[TokenOutput | RequestFailed]] = [[] for _ in prompts]
    while core.has_work:
        for output in core.step():
            outputs[int(output.request_id)].append(output)
    return outputs


def test_request_that_is_not_finite_fails_alone(program: Program) -> None:
    good = [1, 2, 3]
    [alone] = run(make_core(program), good)
    together, poisoned = run(make_core(program), good, [4, POISON, 5])
    assert isinstance(poisoned[0], RequestFailed)
    assert len(poisoned) == 1
    assert together == alone
    assert len(alone) == 4


def test_cache_that_held_it_serves_the_next_request(program: Program) -> None:
    """Every block has held keys and values that are not finite; none of them is read again."""
    prompt = list(range(20))
    [clean] = run(make_core(program), prompt)
    core = make_core(program)
    run(core, [POISON] * CACHE_SIZE)
    assert run(core, prompt) == [clean]
