from collections.abc import Sequence

import pytest

from sterna.engine.core import EngineCore
from sterna.engine.errors import ConstraintError
from sterna.engine.footprint import Footprint
from sterna.engine.requests.batch import (
    BatchEntry,
    Ended,
    Failed,
    NotFinite,
    Outcome,
    Outcomes,
    SampledToken,
)
from sterna.engine.requests.outputs import Histogram, RequestFailed, TokenOutput, TokenTimes
from sterna.engine.requests.request import FinishReason, Request, SamplingParams
from sterna.engine.scheduling.kv_cache import KVCache
from sterna.engine.scheduling.scheduler import Scheduler

BAD_TOKEN = 13  # a prompt with this token gets logits that are not finite


class CountingRunner:
    """Samples 100, 101, ... for each request."""

    def run(self, batch: Sequence[BatchEntry]) -> list[Outcomes]:
        return [(self._sample(entry.request),) for entry in batch if entry.samples]

    def _sample(self, request: Request) -> Outcome:
        bad = BAD_TOKEN in request.token_ids
        return NotFinite() if bad else SampledToken(100 + request.num_output_tokens, -0.5)


@pytest.fixture
def core() -> EngineCore:
    scheduler = Scheduler(KVCache(num_blocks=20, block_tokens=4), 8, 4, 8)
    return EngineCore(scheduler, CountingRunner(), Footprint(10, 20, "scalar", "native", 2))


def make_request(name: str, token_ids: list[int], max_tokens: int = 2, stop: int = 0) -> Request:
    return Request(name, token_ids, SamplingParams(max_tokens, stop_token_ids=frozenset({stop})))


def test_step_gives_each_sampling_request_its_token(core: EngineCore) -> None:
    core.add(make_request("a", [1, 2, 3]))
    core.add(make_request("b", [4, 5, 6, 7, 8, 9]))
    assert core.step() == [TokenOutput("a", 100, -0.5, 0, None)]  # b is not through its prompt
    assert core.step() == [
        TokenOutput("a", 101, -0.5, 0, FinishReason.LENGTH),
        TokenOutput("b", 100, -0.5, 0, None),
    ]
    assert core.step() == [TokenOutput("b", 101, -0.5, 0, FinishReason.LENGTH)]
    assert not core.has_work


def test_stop_token_is_given_out_and_ends_the_request(core: EngineCore) -> None:
    core.add(make_request("a", [1], max_tokens=9, stop=100))
    assert core.step() == [TokenOutput("a", 100, -0.5, 0, FinishReason.STOP)]
    assert not core.has_work


def test_request_without_finite_logits_fails_alone(core: EngineCore) -> None:
    core.add(make_request("a", [1, BAD_TOKEN]))
    core.add(make_request("b", [1, 2]))
    failed, output = core.step()
    assert isinstance(failed, RequestFailed)
    assert failed.request_id == "a"
    assert output == TokenOutput("b", 100, -0.5, 0, None)
    assert core.step() == [TokenOutput("b", 101, -0.5, 0, FinishReason.LENGTH)]
    assert core.stats().kv_blocks_used == 0


def test_failure_of_a_constraint_keeps_its_prefix_for_others(
    core: EngineCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = ConstraintError("no token is left")
    failed = Failed(error)
    prompt = list(range(20, 27))
    core.add(make_request("a", prompt))
    with monkeypatch.context() as patch:
        patch.setattr(CountingRunner, "_sample", lambda *_: failed)
        assert core.step() == [RequestFailed("a", error)]
    core.add(make_request("b", prompt))
    assert core.step() == [TokenOutput("b", 100, -0.5, 4, None)]


@pytest.mark.parametrize(
    ("outcomes", "ends"),
    [
        ([SampledToken(7, -1.0), SampledToken(8, -2.0)], [None, None]),
        ([SampledToken(7, -1.0), SampledToken(0, -2.0), SampledToken(9, -3.0)], [None, "stop"]),
        ([SampledToken(i, -1.0) for i in range(1, 9)], [None, None, None, "length"]),
        ([SampledToken(7, -1.0), Ended(FinishReason.STOP)], [None, "stop"]),
    ],
    ids=["two tokens", "none after a stop token", "no more than asked for", "an end after a token"],
)
def test_a_step_may_give_a_request_several_tokens(
    core: EngineCore, monkeypatch: pytest.MonkeyPatch, outcomes: Outcomes, ends: list[str | None]
) -> None:
    monkeypatch.setattr(CountingRunner, "run", lambda *_: [outcomes])
    core.add(make_request("a", [1, 2, 3], max_tokens=4))
    outputs = [output for output in core.step() if isinstance(output, TokenOutput)]
    assert [output.finish_reason for output in outputs] == ends
    assert [output.token_id for output in outputs] == [
        outcome.token_id if isinstance(outcome, SampledToken) else None
        for outcome in outcomes[: len(ends)]
    ]
    assert core.has_work == (ends[-1] is None)


def test_a_failure_after_a_token_is_told_after_it(
    core: EngineCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = ConstraintError("no token is left")
    monkeypatch.setattr(CountingRunner, "run", lambda *_: [(SampledToken(7, -1.0), Failed(error))])
    core.add(make_request("a", [1, 2, 3]))
    assert core.step() == [TokenOutput("a", 7, -1.0, 0, None), RequestFailed("a", error)]
    assert not core.has_work


def test_abort_of_an_unknown_or_finished_request_does_nothing(core: EngineCore) -> None:
    core.add(make_request("a", [1], max_tokens=1))
    core.step()
    core.abort("a")
    core.abort("never seen")
    assert not core.has_work


def test_first_output_tells_what_the_prefix_cache_gave(core: EngineCore) -> None:
    core.add(make_request("a", list(range(20, 27)), max_tokens=1))
    core.step()
    core.add(make_request("b", list(range(20, 27)), max_tokens=1))
    assert core.step() == [TokenOutput("b", 100, -0.5, 4, FinishReason.LENGTH)]


def test_stats_count_what_happened(core: EngineCore) -> None:
    core.add(make_request("a", [1, 2, 3]))
    core.add(make_request("b", [4, 5, 6, 7, 8, 9]))
    core.add(make_request("c", [10]))
    core.step()
    stats = core.stats()
    assert (stats.num_running, stats.num_waiting) == (2, 1)
    assert (stats.kv_blocks_used, stats.kv_blocks_total, stats.kv_block_tokens) == (3, 20, 4)
    assert (stats.num_steps, stats.tokens_computed) == (1, 8)
    assert (stats.prefix_tokens_hit, stats.prefix_tokens_asked) == (0, 9)


def test_outputs_tell_when_their_request_was_queued_and_first_ran() -> None:
    """The clock is read when a request comes, before a step and after it."""
    ticks = iter(range(100))
    scheduler = Scheduler(KVCache(num_blocks=20, block_tokens=4), 8, 1, 8)  # one at a time
    core = EngineCore(scheduler, CountingRunner(), Footprint(0, 0, "", "", 1), lambda: next(ticks))
    core.add(make_request("a", [1]))  # 0
    core.add(make_request("b", [1], max_tokens=1))  # 1
    times = [output.times for _ in range(3) for output in core.step() if hasattr(output, "times")]
    assert times == [TokenTimes(0, 2, 3), TokenTimes(0, 2, 5), TokenTimes(1, 6, 7)]


def test_tokens_of_each_step_are_counted(core: EngineCore) -> None:
    core.add(make_request("a", list(range(11)), max_tokens=1))
    core.step()
    core.step()
    tokens = core.stats().step_tokens
    assert tokens.bounds[:2] == (1, 8)
    assert tokens.counts[:3] == (0, 2, 0)
    assert tokens.total == 11


def test_a_histogram_counts_what_is_above_its_bounds() -> None:
    histogram = Histogram.empty((1, 8)).plus(1).plus(2).plus(8).plus(9)
    assert histogram.counts == (1, 2, 1)
    assert histogram.total == 20
