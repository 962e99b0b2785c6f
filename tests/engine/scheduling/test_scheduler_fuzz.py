"""Whatever the batching, paging, sharing, preemption and aborts, every request gets its tokens."""

import random
from collections import defaultdict
from itertools import count

import pytest

from sterna.engine.core import EngineCore
from sterna.engine.footprint import Footprint
from sterna.engine.requests.outputs import EngineStats, TokenOutput
from sterna.engine.requests.request import FinishReason, Request, SamplingParams
from sterna.engine.scheduling.kv_cache import KVCache
from sterna.engine.scheduling.scheduler import Scheduler
from tests.engine.hash_model import VOCAB_SIZE, HashModel, expected_output

MAX_CONTEXT = 24
NUM_REQUESTS = 12
FOOTPRINT = Footprint(0, 0, "none", "hash", 1)


def random_requests(rng: random.Random) -> list[Request]:
    """Make requests of which many share a prefix, all of one priority or not."""
    priorities = rng.choice([[0], [0, 1], [-2, 0, 0, 7]])
    shared = [rng.randrange(VOCAB_SIZE) for _ in range(12)]
    requests = []
    for i in range(NUM_REQUESTS):
        own = [rng.randrange(VOCAB_SIZE) for _ in range(rng.randrange(0, 4))]
        prompt = shared[: rng.randrange(1, 12)] + own
        max_tokens = rng.randrange(1, MAX_CONTEXT - len(prompt))
        priority = rng.choice(priorities)
        params = SamplingParams(max_tokens, stop_token_ids=frozenset({3}), priority=priority)
        requests.append(Request(f"r{i}", prompt, params))
    return requests


def check_stats(stats: EngineStats, before: EngineStats) -> None:
    assert 0 <= stats.num_running <= NUM_REQUESTS
    assert 0 <= stats.num_waiting <= NUM_REQUESTS
    assert 0 <= stats.kv_blocks_used <= stats.kv_blocks_total
    assert stats.num_running or not stats.kv_blocks_used, "blocks held by nobody"
    assert stats.prefix_tokens_hit <= stats.prefix_tokens_asked
    for counter in ("prefix_tokens_hit", "prefix_tokens_asked", "num_preemptions", "num_steps"):
        assert getattr(stats, counter) >= getattr(before, counter)


def check_order(scheduler: Scheduler) -> None:
    """Most urgent first; with one priority in order of arrival, the running before the waiting."""
    for queue in (scheduler.running, scheduler.waiting):
        ranks = [request.rank for request in queue]
        assert ranks == sorted(ranks)
    requests = [*scheduler.running, *scheduler.waiting]
    if len({request.params.priority for request in requests}) == 1:
        arrivals = [request.rank[1] for request in requests]
        assert arrivals == sorted(arrivals)


@pytest.mark.parametrize("seed", range(300))
def test_output_does_not_depend_on_batching(seed: int) -> None:
    rng = random.Random(seed)
    block_tokens = rng.choice([1, 2, 4])
    num_blocks = -(-MAX_CONTEXT // block_tokens) + rng.randrange(0, 12)
    cache = KVCache(num_blocks, block_tokens)
    max_batch_tokens = rng.randrange(4, 10)
    max_chunk_tokens = rng.randrange(1, 10)
    clock = count(step=3.0)  # ages change who is urgent
    scheduler = Scheduler(cache, max_batch_tokens, 4, max_chunk_tokens, clock=lambda: next(clock))
    core = EngineCore(scheduler, HashModel(num_blocks, block_tokens), FOOTPRINT)

    requests = random_requests(rng)
    expected = {r.request_id: expected_output(r.token_ids, r.params) for r in requests}
    arrivals, arrived, outputs = list(requests), [], defaultdict(list)
    stats = core.stats()
    while arrivals or core.has_work:
        for _ in range(min(rng.randrange(0, 3), len(arrivals))):
            arrived.append(arrivals.pop())
            core.add(arrived[-1])
        if rng.random() < 0.1 and arrived:
            core.abort(rng.choice(arrived).request_id)  # waiting, in prefill, decoding or finished
        num_decoding = sum(request.num_pending_tokens == 1 for request in scheduler.running)
        if core.has_work:
            for output in core.step():
                assert isinstance(output, TokenOutput)
                outputs[output.request_id].append(output)
        cache.check_integrity()
        check_order(scheduler)
        stats, before = core.stats(), stats
        check_stats(stats, before)
        num_computed = stats.tokens_computed - before.tokens_computed
        assert num_computed <= max_batch_tokens
        assert not num_decoding or num_computed <= num_decoding + max_chunk_tokens
        assert stats.num_steps < 2000, "no progress"

    for request in requests:
        got = outputs[request.request_id]
        tokens = [output.token_id for output in got]
        if request.finish_reason is FinishReason.ABORT:
            assert tokens == expected[request.request_id][: len(tokens)]
        else:
            assert tokens == expected[request.request_id]
            assert got[-1].finish_reason is request.finish_reason
            assert {output.num_cached_tokens for output in got} == {request.num_cached_tokens}
    assert (stats.num_running, stats.num_waiting, stats.kv_blocks_used) == (0, 0, 0)


def test_schedules_like_these_preempt_and_share_prefixes() -> None:
    rng = random.Random(1)
    core = EngineCore(Scheduler(KVCache(9, 4), 5, 4, 5), HashModel(9, 4), FOOTPRINT)
    for request in random_requests(rng):
        core.add(request)
    while core.has_work:
        core.step()
    stats = core.stats()
    assert stats.num_preemptions > 0
    assert stats.prefix_tokens_hit > 0
