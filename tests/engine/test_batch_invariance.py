"""A request's tokens and logprobs are the same to the last bit, alone or in any company.

Real kernels, every instruction set of this CPU. The company: 32 requests of mixed lengths and
sampling, some with a common prefix, that arrive at random, are computed in chunks of random size by
two threads, and preempt each other in a cache that is far too small for all of them. Three in four
also ask for penalties, biases, logprobs, a constraint, a priority, or all at once.

The reference backend does not promise this: torch sums in an order that depends on the shape.
"""

import random
from collections import defaultdict
from itertools import islice
from typing import Any

import pytest

from sterna.engine.constraints.guide import Guide
from sterna.engine.constraints.mask_pool import MaskPool
from sterna.engine.core import EngineCore
from sterna.engine.execution.model_runner import ModelRunner
from sterna.engine.footprint import Footprint
from sterna.engine.kernels import CACHE_TOKENS, KVDtype, NativeProgram, supported_isas
from sterna.engine.model.families.bitnet import BitNet
from sterna.engine.model.families.rotary import attention_shape
from sterna.engine.model.weights import ModelWeights
from sterna.engine.requests.outputs import EngineStats, TokenOutput
from sterna.engine.requests.request import Request, SamplingParams
from sterna.engine.scheduling.kv_cache import KVCache
from sterna.engine.scheduling.scheduler import Scheduler
from tests.engine.matchers import Rule
from tests.engine.random_weights import Shape, random_weights

NUM_REQUESTS = 32
MAX_CONTEXT = 256
MAX_BATCH_TOKENS = 96
MAX_BATCH_REQUESTS = 12
MAX_SCORED_ROWS = 40
NUM_BLOCKS = 24  # MAX_CONTEXT tokens take 16
FOOTPRINT = Footprint(0, 0, "", "native", 1)

Output = tuple[int | None, str]  # token id, and all logprobs with all their bits


EVEN = Shape(hidden_size=192, mlp_size=448, num_heads=4, num_kv_heads=2, head_size=48)
ODD = Shape(hidden_size=100, mlp_size=131, num_heads=3, num_kv_heads=1, head_size=30)

Model = tuple[ModelWeights, KVDtype]


@pytest.fixture(
    scope="module", params=[(EVEN, "float16"), (ODD, "int8")], ids=["even-float16", "odd-int8"]
)
def model(request: pytest.FixtureRequest) -> Model:
    shape, kv_dtype = request.param
    return random_weights(shape, MAX_CONTEXT), kv_dtype


class Engine:
    """A program, on which engines with an empty cache are set up one after the other."""

    def __init__(self, model: Model, isa: str, num_threads: int) -> None:
        weights, kv_dtype = model
        shape = attention_shape(weights.config, MAX_CONTEXT, NUM_BLOCKS, kv_dtype)
        max_logits = MAX_BATCH_REQUESTS + MAX_SCORED_ROWS
        self._program = NativeProgram(shape, num_threads, MAX_BATCH_TOKENS, max_logits, isa)
        self._vocab_size = weights.config.vocab_size
        self._masks = MaskPool()
        assert self._program.isa == isa
        BitNet().record(self._program, weights, "int8")

    def run(
        self, requests: list[Request], rng: random.Random | None = None
    ) -> tuple[dict[str, list[Output]], EngineStats]:
        """Run requests to their end; with rng, arrivals and chunk sizes are random."""
        cache = KVCache(NUM_BLOCKS, CACHE_TOKENS)
        scheduler = Scheduler(
            cache, MAX_BATCH_TOKENS, MAX_BATCH_REQUESTS, MAX_BATCH_TOKENS, MAX_SCORED_ROWS
        )
        core = EngineCore(scheduler, ModelRunner(self._program), FOOTPRINT)
        outputs: defaultdict[str, list[Output]] = defaultdict(list)
        arrivals = iter(requests)
        arrived = 0
        while core.has_work or arrived < len(requests):
            for request in islice(arrivals, rng.randrange(3) if rng else None):
                if request.params.constraint:
                    request.guide = Guide(request.params.constraint, self._vocab_size, self._masks)
                core.add(request)
                arrived += 1
            if rng:
                scheduler._max_batch_tokens = rng.randint(MAX_BATCH_REQUESTS, MAX_BATCH_TOKENS)
                scheduler._max_chunk_tokens = rng.randint(1, MAX_BATCH_TOKENS)
                scheduler._max_scored_rows = rng.randint(1, MAX_SCORED_ROWS)
            for output in core.step() if core.has_work else []:
                assert isinstance(output, TokenOutput)
                logprobs = (output.logprob, output.top_logprobs, output.prompt_logprobs)
                outputs[output.request_id].append((output.token_id, repr(logprobs)))
        cache.check_integrity()
        return outputs, core.stats()


RISING = Rule(EVEN.vocab_size, lambda v, tokens: v % 4 == 0 or v > max(tokens, default=0), 30)
WISHES: list[dict[str, Any]] = [
    {"presence_penalty": 0.8, "frequency_penalty": 0.3},
    {"repetition_penalty": 1.3, "priority": 1},
    {"logit_bias": {7: 3.0, 8: -100.0, 9: 100.0}, "priority": -1},
    {"num_logprobs": 4, "min_tokens": 1},
    {"prompt_logprobs": 3, "priority": 2},
    {"constraint": RISING, "ignore_eos": True},
]
EVERYTHING = {name: value for wish in WISHES for name, value in wish.items()}


def make_requests() -> list[Request]:
    """Make the same requests each time: half greedy, half seeded with all kinds of filters."""
    wishes = [{}, *WISHES, EVERYTHING]
    rng = random.Random(0)
    shared = [rng.randrange(EVEN.vocab_size) for _ in range(100)]
    requests = []
    for i in range(NUM_REQUESTS):
        own = [rng.randrange(EVEN.vocab_size) for _ in range(rng.choice([1, 2, 15, 17, 40, 150]))]
        prompt = shared[: rng.randrange(100)] + own if i % 4 == 0 else own
        longest = MAX_CONTEXT - len(prompt) if i % 8 == 0 else 48
        params = SamplingParams(
            max_tokens=rng.randrange(1, longest),
            temperature=0.0 if i % 2 else rng.choice([0.7, 1.0, 2.0]),
            top_k=rng.choice([0, 40]),
            top_p=rng.choice([1.0, 0.95]),
            min_p=rng.choice([0.0, 0.01]),
            **wishes[i // 4],
        )
        requests.append(Request(f"r{i}", prompt, params, seed=i))
    return requests


@pytest.fixture(scope="module", params=supported_isas())
def isa(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def alone(model: Model, isa: str) -> dict[str, list[Output]]:
    """The outputs of each request when nothing else runs."""
    engine = Engine(model, isa, num_threads=1)
    outputs: dict[str, list[Output]] = {}
    for request in make_requests():
        outputs |= engine.run([request])[0]
    return outputs


@pytest.mark.parametrize("seed", range(2))
def test_company_changes_nothing(
    model: Model, isa: str, alone: dict[str, list[Output]], seed: int
) -> None:
    rng = random.Random(seed)
    requests = make_requests()
    rng.shuffle(requests)
    together, stats = Engine(model, isa, num_threads=2).run(requests, rng)
    for request in requests:
        assert together[request.request_id] == alone[request.request_id]
    assert stats.num_preemptions > 0
    assert stats.prefix_tokens_hit > 0
    assert stats.kv_blocks_used == 0


def test_requests_are_worth_comparing(alone: dict[str, list[Output]]) -> None:
    """They give many different tokens, and do not all stop at once."""
    tokens = [token for output in alone.values() for token, _ in output]
    assert len(alone) == NUM_REQUESTS
    assert len(tokens) > 600
    assert len(set(tokens)) > 50
