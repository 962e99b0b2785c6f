import pytest

from sterna.engine.errors import GenerationError
from sterna.engine.requests.batch import BatchEntry, Failed, NotFinite, Outcome, SampledToken
from sterna.engine.requests.request import FinishReason, Request, SamplingParams
from sterna.engine.scheduling.kv_cache import KVCache
from sterna.engine.scheduling.scheduler import SECONDS_PER_LEVEL, Scheduler


def make_request(name: str, num_tokens: int, max_tokens: int = 8, priority: int = 0) -> Request:
    """Make a request whose prompt shares nothing with that of another name."""
    token_ids = [ord(name) * 100 + i for i in range(num_tokens)]
    return Request(name, token_ids, SamplingParams(max_tokens, priority=priority))


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def make_scheduler(
    num_blocks: int = 100,
    block_tokens: int = 4,
    max_batch_tokens: int = 8,
    num_requests: int = 4,
    max_chunk_tokens: int = 8,
) -> Scheduler:
    cache = KVCache(num_blocks, block_tokens)
    return Scheduler(cache, max_batch_tokens, num_requests, max_chunk_tokens)


def step(scheduler: Scheduler) -> dict[str, int]:
    """Run a step in which every sampled token is 5; return how many tokens each request got."""
    batch = scheduler.schedule()
    scheduler.update(batch, [(SampledToken(5, -0.5),) for entry in batch if entry.samples])
    return sizes(batch)


def sizes(batch: list[BatchEntry]) -> dict[str, int]:
    return {entry.request.request_id: entry.num_tokens for entry in batch}


def test_long_prompt_is_computed_in_chunks_and_samples_at_its_end() -> None:
    scheduler = make_scheduler()
    request = make_request("a", 18)
    scheduler.add(request)
    assert [step(scheduler) for _ in range(4)] == [{"a": 8}, {"a": 8}, {"a": 2}, {"a": 1}]
    assert request.num_output_tokens == 2


def test_decoding_requests_get_their_token_before_any_prompt() -> None:
    """A stream is never held up for longer than one step, however long a prompt arrives."""
    scheduler = make_scheduler()
    for name in "ab":
        scheduler.add(make_request(name, 2))
    step(scheduler)
    scheduler.add(make_request("c", 30))
    assert step(scheduler) == {"a": 1, "b": 1, "c": 6}
    assert step(scheduler) == {"a": 1, "b": 1, "c": 6}


def test_prompts_get_small_chunks_while_a_stream_runs_and_large_ones_when_none_does() -> None:
    scheduler = make_scheduler(max_batch_tokens=20, max_chunk_tokens=3)
    stream, long = make_request("a", 2, max_tokens=4), make_request("b", 40)
    scheduler.add(stream)
    step(scheduler)
    scheduler.add(long)
    assert [step(scheduler) for _ in range(2)] == [{"a": 1, "b": 3}] * 2
    scheduler.add(make_request("c", 2))
    assert step(scheduler) == {"a": 1, "b": 3}, "the chunk is for all prompts together"
    assert stream.finish_reason
    assert step(scheduler) == {"b": 20}
    assert step(scheduler) == {"b": 11, "c": 2}


def test_prompt_advances_however_many_streams_run() -> None:
    scheduler = make_scheduler(max_batch_tokens=4, num_requests=4, max_chunk_tokens=3)
    for name in "abc":
        scheduler.add(make_request(name, 1))
    step(scheduler)
    scheduler.add(make_request("d", 3))
    assert [step(scheduler)["d"] for _ in range(3)] == [1, 1, 1]


def test_prompts_share_a_step() -> None:
    scheduler = make_scheduler()
    for name, num_tokens in (("a", 3), ("b", 4), ("c", 5)):
        scheduler.add(make_request(name, num_tokens))
    assert step(scheduler) == {"a": 3, "b": 4, "c": 1}
    assert step(scheduler) == {"a": 1, "b": 1, "c": 4}


def test_no_more_requests_run_at_once_than_allowed() -> None:
    scheduler = make_scheduler(num_requests=2)
    for name in "abc":
        scheduler.add(make_request(name, 1, max_tokens=2))
    assert [step(scheduler) for _ in range(3)] == [{"a": 1, "b": 1}, {"a": 1, "b": 1}, {"c": 1}]


def test_youngest_is_preempted_and_comes_back_first() -> None:
    scheduler = make_scheduler(num_blocks=5, block_tokens=2)
    older, younger, waiting = (make_request(name, 3, max_tokens=7) for name in "abc")
    for request in (older, younger, waiting):
        scheduler.add(request)
    assert step(scheduler) == {"a": 3, "b": 3}
    assert step(scheduler) == {"a": 1, "b": 1}
    assert step(scheduler) == {"a": 1}  # needs a third block: the only free one
    assert scheduler.num_preemptions == 1
    assert list(scheduler.waiting) == [younger, waiting]
    assert list(younger.block_table) == []
    assert younger.num_output_tokens == 2, "what has been sampled is kept"


def test_resumed_request_computes_what_it_had_and_samples_only_after_that() -> None:
    scheduler = make_scheduler(num_blocks=5, block_tokens=2, max_batch_tokens=4)
    older, younger = (make_request(name, 3, max_tokens=7) for name in "ab")
    scheduler.add(older)
    scheduler.add(younger)
    while older.finish_reason is None:
        step(scheduler)
    assert scheduler.num_preemptions == 1
    assert younger.num_output_tokens == 2
    assert step(scheduler) == {"b": 4}  # the older one has evicted all of its blocks
    assert younger.num_output_tokens == 2
    assert step(scheduler) == {"b": 1}
    assert younger.num_output_tokens == 3


def test_resumed_request_finds_what_nobody_has_overwritten() -> None:
    """It is no news to the prefix cache, which counts a request when it is first admitted."""
    scheduler = make_scheduler(num_blocks=5, block_tokens=2)
    older, younger = (make_request(name, 3, max_tokens=3) for name in "ab")
    scheduler.add(older)
    scheduler.add(younger)
    assert [step(scheduler) for _ in range(3)] == [{"a": 3, "b": 3}, {"a": 1, "b": 1}, {"a": 1}]
    assert older.finish_reason is not None
    assert scheduler.num_preemptions == 1
    assert step(scheduler) == {"b": 1}
    assert younger.num_cached_tokens == 0
    assert (scheduler.prefix_tokens_hit, scheduler.prefix_tokens_asked) == (0, 6)


def test_prompt_to_be_scored_is_not_looked_up_in_the_cache() -> None:
    scheduler = make_scheduler()
    scheduler.add(Request("a", [1, 2, 3], SamplingParams(max_tokens=8, prompt_logprobs=0)))
    scheduler.schedule()
    assert scheduler.prefix_tokens_asked == 0


def test_nothing_is_admitted_in_a_step_that_preempts() -> None:
    scheduler = make_scheduler(num_blocks=4, block_tokens=2)
    for name in "ab":
        scheduler.add(make_request(name, 3, max_tokens=5))
    step(scheduler)
    step(scheduler)
    scheduler.add(make_request("c", 1))
    assert step(scheduler) == {"a": 1}


def test_prompt_waits_until_it_fits_with_a_block_to_spare_for_each_running_request() -> None:
    scheduler = make_scheduler(num_blocks=4, block_tokens=2)
    scheduler.add(make_request("a", 2, max_tokens=2))
    scheduler.add(make_request("b", 6, max_tokens=1))
    assert step(scheduler) == {"a": 2}  # three blocks are free, all of which b needs
    assert step(scheduler) == {"a": 1}
    assert step(scheduler) == {"b": 6}


def test_queue_is_first_come_first_served() -> None:
    """A short prompt does not overtake a long one that waits for room, so nobody starves."""
    scheduler = make_scheduler(num_blocks=4, block_tokens=2)
    scheduler.add(make_request("a", 2, max_tokens=2))
    step(scheduler)
    scheduler.add(make_request("b", 6, max_tokens=1))
    scheduler.add(make_request("c", 1))
    assert step(scheduler) == {"a": 1}


def test_prefix_hit_is_counted_once() -> None:
    scheduler = make_scheduler(max_batch_tokens=20)
    first, second = make_request("a", 10), make_request("a", 10)
    scheduler.add(first)
    step(scheduler)
    scheduler.add(second)
    step(scheduler)
    assert (first.num_cached_tokens, second.num_cached_tokens) == (0, 8)
    assert list(second.block_table)[:2] == list(first.block_table)[:2]
    assert (scheduler.prefix_tokens_hit, scheduler.prefix_tokens_asked) == (8, 20)


def test_finished_request_leaves_its_prefix_to_the_next() -> None:
    scheduler = make_scheduler()
    scheduler.add(make_request("a", 5, max_tokens=1))
    step(scheduler)
    assert not scheduler.running
    again = make_request("a", 5)
    scheduler.add(again)
    step(scheduler)
    assert again.num_cached_tokens == 4


def test_abort_frees_the_blocks_at_once_wherever_the_request_is() -> None:
    scheduler = make_scheduler(max_batch_tokens=8)
    decoding, prefilling, waiting = (make_request(n, k) for n, k in (("a", 2), ("b", 30), ("c", 9)))
    for request in (decoding, prefilling, waiting):
        scheduler.add(request)
    step(scheduler)
    step(scheduler)
    assert list(scheduler.waiting) == [waiting]
    assert 1 < prefilling.num_pending_tokens < 30
    for request in (prefilling, waiting):
        scheduler.abort(request)
        assert request.finish_reason is FinishReason.ABORT
        assert list(request.block_table) == []
    assert step(scheduler) == {"a": 1}
    scheduler.abort(decoding)
    assert scheduler.cache.num_free_blocks == scheduler.cache.num_blocks
    assert scheduler.schedule() == []


@pytest.mark.parametrize(
    ("outcome", "num_cached"),
    [(NotFinite(), 0), (Failed(GenerationError("scripted")), 8)],
    ids=["not finite", "another failure"],
)
def test_only_what_is_not_finite_is_not_shared(outcome: Outcome, num_cached: int) -> None:
    """A constraint that fails must not take from others the prefix they have in common."""
    scheduler = make_scheduler(max_batch_tokens=20)
    bad, good = make_request("a", 9), make_request("b", 3)
    scheduler.add(bad)
    scheduler.add(good)
    scheduler.update(scheduler.schedule(), [(outcome,), (SampledToken(7, -0.5),)])
    assert bad.finish_reason is FinishReason.ERROR
    assert bad.num_output_tokens == 0
    assert good.token_ids[-1] == 7
    again = make_request("a", 9)
    scheduler.add(again)
    step(scheduler)
    assert again.num_cached_tokens == num_cached


def test_lower_priority_goes_first_then_who_came_first() -> None:
    scheduler = make_scheduler(num_requests=1)
    for name, priority in (("a", 0), ("b", 5), ("c", -1), ("d", 5), ("e", -1)):
        scheduler.add(make_request(name, 1, max_tokens=1, priority=priority))
    assert [step(scheduler) for _ in range(5)] == [{name: 1} for name in "ceabd"]


def test_nobody_starves() -> None:
    """However many more urgent requests keep coming, each wait of so long counts as a level."""
    clock = Clock()
    scheduler = Scheduler(KVCache(10, 4), 8, 1, 8, clock=clock)
    patient = make_request("p", 1, max_tokens=1, priority=3)
    scheduler.add(patient)
    waited = 0
    while not patient.finish_reason:
        scheduler.add(make_request("u", 1, max_tokens=1, priority=0))
        scheduler.add(make_request("v", 1, max_tokens=1, priority=1))
        step(scheduler)
        clock.seconds += SECONDS_PER_LEVEL / 4
        waited += 1
        assert waited < 100
    assert waited * SECONDS_PER_LEVEL / 4 > 2 * SECONDS_PER_LEVEL, "it did have to wait"


@pytest.mark.parametrize("levels", [0, 2])
def test_no_priority_overtakes_for_longer_than_its_levels(levels: int) -> None:
    """One client that keeps asking for the greatest urgency would else hold up all others."""
    clock = Clock()
    scheduler = Scheduler(KVCache(10, 4), 8, 1, 8, clock=clock, max_levels=levels)
    plain = make_request("p", 1, max_tokens=1)
    scheduler.add(plain)
    num_overtaking = 0
    while not plain.finish_reason:
        scheduler.add(make_request("u", 1, max_tokens=1, priority=-(2**31)))
        num_overtaking += "u" in step(scheduler)
        clock.seconds += SECONDS_PER_LEVEL / 2
        assert num_overtaking < 100
    assert num_overtaking == 2 * levels


def test_least_urgent_is_preempted_even_if_it_came_first() -> None:
    scheduler = make_scheduler(num_blocks=5, block_tokens=2)
    first, urgent = make_request("a", 3, priority=1), make_request("b", 3, priority=0)
    for request in (first, urgent):
        scheduler.add(request)
    assert step(scheduler) == {"b": 3, "a": 3}
    assert step(scheduler) == {"b": 1, "a": 1}
    assert step(scheduler) == {"b": 1}
    assert list(scheduler.waiting) == [first]
    while not urgent.finish_reason:
        step(scheduler)
    step(scheduler)
    assert list(scheduler.running) == [first]
