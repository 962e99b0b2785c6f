"""The engine thread and its streams, with a scripted runner that steps when the test says so."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

import pytest

from sterna.engine.async_engine import AsyncEngine
from sterna.engine.constraints.mask_pool import MaskPool
from sterna.engine.core import EngineCore
from sterna.engine.energy.accounting import EnergyAccounting
from sterna.engine.errors import ContextLengthError, EngineDeadError, GenerationError, RequestError
from sterna.engine.footprint import Footprint
from sterna.engine.model_info import ModelInfo
from sterna.engine.requests.batch import BatchEntry, NotFinite, Outcomes
from sterna.engine.requests.outputs import EngineStats
from sterna.engine.requests.request import SamplingParams
from sterna.engine.scheduling.kv_cache import KVCache
from sterna.engine.scheduling.scheduler import Scheduler
from tests.engine.hash_model import VOCAB_SIZE, HashModel, expected_output
from tests.engine.matchers import even

NUM_BLOCKS, BLOCK_TOKENS = 40, 4
MAX_CONTEXT = 100
EOS = 3
POISON = 49  # a prompt that starts with it gets logits that are not finite
LIMIT_SECONDS = 120.0  # for a test that hangs, or a machine that is paused


class ScriptedRunner:
    """The hash model behind a gate: while that is closed, each step waits to be allowed."""

    def __init__(self) -> None:
        self._model = HashModel(NUM_BLOCKS, BLOCK_TOKENS)
        self._gate = threading.Semaphore(0)
        self._is_open = True
        self.num_started = 0
        self.error: Exception | None = None

    def close_gate(self) -> None:
        self._is_open = False

    def open_gate(self) -> None:
        self._is_open = True
        self._gate.release()

    async def next_step(self) -> None:
        """Let the step in flight end, and wait until the next one is in flight."""
        num_started = self.num_started
        self._gate.release()
        await self.in_step(num_started + 1)

    async def in_step(self, number: int) -> None:
        async with asyncio.timeout(LIMIT_SECONDS):
            while self.num_started < number:
                await asyncio.sleep(0.001)

    def run(self, batch: Sequence[BatchEntry]) -> list[Outcomes]:
        self.num_started += 1
        if not self._is_open:
            assert self._gate.acquire(timeout=LIMIT_SECONDS)
        if self.error is not None:
            raise self.error
        sampling = [entry.request for entry in batch if entry.samples]
        return [
            (NotFinite(),) if request.token_ids[0] == POISON else outcomes
            for request, outcomes in zip(sampling, self._model.run(batch), strict=True)
        ]


def make_engine(core: EngineCore, model: ModelInfo) -> AsyncEngine:
    return AsyncEngine(core, model, EnergyAccounting(), MaskPool())


@pytest.fixture
def runner() -> ScriptedRunner:
    return ScriptedRunner()


@pytest.fixture
async def engine(runner: ScriptedRunner) -> AsyncIterator[AsyncEngine]:
    scheduler = Scheduler(KVCache(NUM_BLOCKS, BLOCK_TOKENS), 8, 4, 8)
    core = EngineCore(scheduler, runner, Footprint(0, 0, "none", "hash", 1))
    engine = make_engine(core, ModelInfo(VOCAB_SIZE, MAX_CONTEXT, frozenset({EOS}), 0))
    engine.start()
    yield engine
    runner.open_gate()
    await engine.stop()
    assert not engine.is_alive


async def collect(
    engine: AsyncEngine, prompt: list[int], max_tokens: int = 8, ignore_eos: bool = True
) -> list[int]:
    params = SamplingParams(max_tokens, ignore_eos=ignore_eos)
    async with asyncio.timeout(LIMIT_SECONDS):
        outputs = [output async for output in engine.generate(prompt, params)]
    assert outputs[-1].finish_reason
    assert all(output.finish_reason is None for output in outputs[:-1])
    return [output.token_id for output in outputs if output.token_id is not None]


def submit(engine: AsyncEngine, prompts: list[list[int]]) -> list[asyncio.Task[list[int]]]:
    """Start requests that do not stop before 20 tokens."""
    return [asyncio.create_task(collect(engine, prompt, 20)) for prompt in prompts]


def is_empty(stats: EngineStats) -> bool:
    return (stats.num_running, stats.num_waiting, stats.kv_blocks_used) == (0, 0, 0)


async def test_concurrent_requests_each_get_their_tokens(engine: AsyncEngine) -> None:
    prompts = [[i % 5, i, 7, i] for i in range(30)]
    results = await asyncio.gather(*(collect(engine, prompt) for prompt in prompts))
    for prompt, result in zip(prompts, results, strict=True):
        assert result == expected_output(prompt, SamplingParams(8))
    assert is_empty(engine.stats())


async def test_end_of_sequence_stops_unless_ignored(engine: AsyncEngine) -> None:
    stopping = SamplingParams(60, stop_token_ids=frozenset({EOS}))
    prompt = next(p for p in ([i] for i in range(9)) if len(expected_output(p, stopping)) < 60)
    assert await collect(engine, prompt, 60, ignore_eos=False) == expected_output(prompt, stopping)
    assert len(await collect(engine, prompt, 60, ignore_eos=True)) == 60


async def test_tokens_arrive_as_they_are_made(engine: AsyncEngine, runner: ScriptedRunner) -> None:
    runner.close_gate()
    async with aclosing(engine.generate([1, 2], SamplingParams(4, ignore_eos=True))) as tokens:
        for num_steps in (1, 2, 3):
            first = asyncio.ensure_future(anext(tokens))
            await runner.in_step(num_steps)
            assert not first.done()
            await runner.next_step()
            await first
            assert engine.stats().num_steps == num_steps


async def test_slow_reader_holds_up_nobody(engine: AsyncEngine) -> None:
    async with aclosing(engine.generate([1, 2], SamplingParams(8, ignore_eos=True))) as slow:
        first = await anext(slow)
        assert len(await collect(engine, [4, 5], 60)) == 60
        assert is_empty(engine.stats()), "the slow reader's request has long finished"
        rest = [output.token_id async for output in slow]
    assert [first.token_id, *rest] == expected_output([1, 2], SamplingParams(8))


@pytest.mark.parametrize("state", ["waiting", "prefill", "decode"])
async def test_abort_frees_everything_within_a_step(
    engine: AsyncEngine, runner: ScriptedRunner, state: str
) -> None:
    """The request is withdrawn while a step is in flight; the next step knows nothing of it."""
    runner.close_gate()
    prompts = [[i] for i in range(4 if state == "waiting" else 3)]
    others = submit(engine, prompts)
    await runner.in_step(1)
    await runner.next_step()  # all of them run

    prompt = [5, 6] if state == "decode" else list(range(20))
    victim = engine.generate(prompt, SamplingParams(50, ignore_eos=True))
    reader = asyncio.ensure_future(anext(victim))
    await asyncio.sleep(0)  # it is submitted
    await runner.next_step()
    await runner.next_step()
    if state == "decode":
        await reader
        await victim.aclose()
    else:
        assert not reader.done()
        reader.cancel()
        await asyncio.wait([reader])
    stats = engine.stats()
    assert (stats.num_running, stats.num_waiting) == (4, 1 if state == "waiting" else 0)

    await runner.next_step()
    stats = engine.stats()
    assert (stats.num_running, stats.num_waiting) == (len(others), 0)
    assert stats.kv_blocks_used == len(others)
    runner.open_gate()
    for prompt, tokens in zip(prompts, await asyncio.gather(*others), strict=True):
        assert tokens == expected_output(prompt, SamplingParams(20))
    assert is_empty(engine.stats())


async def test_request_that_is_not_finite_fails_alone(engine: AsyncEngine) -> None:
    good = asyncio.create_task(collect(engine, [1, 2], 20))
    with pytest.raises(GenerationError, match="not finite"):
        await collect(engine, [POISON, 2])
    assert await good == expected_output([1, 2], SamplingParams(20))
    assert engine.is_alive
    assert is_empty(engine.stats())


async def test_death_of_the_engine_reaches_every_request(
    engine: AsyncEngine, runner: ScriptedRunner, caplog: pytest.LogCaptureFixture
) -> None:
    runner.close_gate()
    requests = submit(engine, [[i] for i in range(6)])
    await runner.in_step(1)
    await runner.next_step()  # four run, two wait
    runner.error = RuntimeError("boom")
    runner.open_gate()
    for result in await asyncio.gather(*requests, return_exceptions=True):
        assert isinstance(result, EngineDeadError)
        assert "boom" in str(result)
    assert not engine.is_alive
    assert engine.seconds_since_progress == 0.0
    assert "the engine thread died" in caplog.text
    with pytest.raises(EngineDeadError, match="boom"):
        await collect(engine, [1])


async def test_stop_ends_requests_in_flight(engine: AsyncEngine, runner: ScriptedRunner) -> None:
    runner.close_gate()
    [request] = submit(engine, [[1, 2]])
    await runner.in_step(1)
    stopping = asyncio.create_task(engine.stop())
    await asyncio.sleep(0)  # it is told
    runner.open_gate()
    await stopping
    with pytest.raises(EngineDeadError, match="stopped"):
        await request


async def test_heartbeat_ages_only_while_there_is_work(
    engine: AsyncEngine, runner: ScriptedRunner
) -> None:
    assert engine.seconds_since_progress == 0.0
    runner.close_gate()
    [request] = submit(engine, [[1]])
    await runner.in_step(1)
    assert 0.0 < engine.seconds_since_progress < engine.seconds_since_progress
    runner.open_gate()
    await request
    assert engine.seconds_since_progress == 0.0


async def test_generator_that_is_never_iterated_submits_nothing(engine: AsyncEngine) -> None:
    await engine.generate([1], SamplingParams(4)).aclose()
    assert len(await collect(engine, [2], 4)) == 4
    assert engine.stats().tokens_computed == 4


async def test_what_cannot_be_served_is_refused(engine: AsyncEngine) -> None:
    engine.check(60, 40)
    with pytest.raises(ContextLengthError) as caught:
        engine.check(61, 40)
    error = caught.value
    assert (error.num_prompt_tokens, error.max_tokens, error.limit) == (61, 40, MAX_CONTEXT)
    with pytest.raises(ContextLengthError):
        await collect(engine, [1] * 61, 40)
    with pytest.raises(RequestError, match="empty"):
        engine.check(0, 1)
    for token_id in (-1, VOCAB_SIZE):
        with pytest.raises(RequestError, match="from 0 to 49"):
            await collect(engine, [1, token_id])


@pytest.mark.parametrize("token_id", [-1, VOCAB_SIZE])
async def test_token_ids_of_parameters_must_exist(engine: AsyncEngine, token_id: int) -> None:
    biased = SamplingParams(4, logit_bias={token_id: 1.0})
    stopping = SamplingParams(4, stop_token_ids=frozenset({token_id}))
    for name, params in (("logit_bias", biased), ("stop_token_ids", stopping)):
        with pytest.raises(RequestError, match=f"{name} must be from 0 to 49"):
            await anext(engine.generate([1], params))


async def test_constraint_is_started_for_each_request(engine: AsyncEngine) -> None:
    params = SamplingParams(4, constraint=even(VOCAB_SIZE))
    guides = [engine._make_request([1], params, str(i)).guide for i in range(2)]
    for guide in guides:
        assert guide is not None
        assert guide.failure() is None
    assert guides[0] is not guides[1]


async def test_request_id_in_use_is_refused(engine: AsyncEngine, runner: ScriptedRunner) -> None:
    runner.close_gate()
    first = engine.generate([1], SamplingParams(4, ignore_eos=True), "same")
    reader = asyncio.ensure_future(anext(first))
    await asyncio.sleep(0)
    with pytest.raises(RequestError, match="'same' is in use"):
        await anext(engine.generate([1], SamplingParams(4), "same"))
    runner.open_gate()
    assert (await reader).request_id == "same"
    await first.aclose()


async def test_requests_without_a_seed_differ(engine: AsyncEngine) -> None:
    params = SamplingParams(1)
    seeds = {engine._make_request([1], params, str(i)).seed for i in range(8)}
    assert len(seeds) == 8
    assert engine._make_request([1], SamplingParams(1, seed=5), "x").seed == 5


async def test_engine_must_be_started() -> None:
    core = EngineCore(
        Scheduler(KVCache(4, 4), 8, 4, 8), ScriptedRunner(), Footprint(0, 0, "none", "hash", 1)
    )
    engine = make_engine(core, ModelInfo(VOCAB_SIZE, 16, frozenset(), 0))
    assert not engine.is_alive
    with pytest.raises(EngineDeadError, match="not been started"):
        await collect(engine, [1])
    await engine.stop()
