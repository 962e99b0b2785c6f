"""A grammar that ends the process that compiles it ends another than the server's."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from llguidance import LLMatcher

from sterna.server.constraints import trial_worker
from sterna.server.constraints.grammars import JsonSchema
from sterna.server.constraints.trial_worker import TrialWorker
from sterna.server.constraints.trials import Trials
from tests.server.scripted import LIMIT_SECONDS

STACK_BYTES = 64 << 20
GOOD = JsonSchema().text()
DEADLY = LLMatcher.grammar_from_json_schema('{"const": -9223372036854775808}')


@pytest.fixture
def trials() -> Iterator[Trials]:
    trials = Trials(STACK_BYTES)
    yield trials
    trials.stop()


@pytest.fixture
def worker() -> Iterator[TrialWorker]:
    worker = TrialWorker(STACK_BYTES, LIMIT_SECONDS)
    yield worker
    worker.end()


def test_one_that_ends_the_process_is_refused_each_time_and_others_are_not(trials: Trials) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="make it simpler"):
            trials.check(DEADLY, LIMIT_SECONDS)
        trials.check(GOOD, LIMIT_SECONDS)


def test_a_bad_one_is_none_of_its_business(trials: Trials) -> None:
    for grammar in ("", "no grammar", LLMatcher.grammar_from_json_schema('{"type": 1}')):
        trials.check(grammar, LIMIT_SECONDS)


def test_one_that_has_survived_is_remembered(
    trials: Trials, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials.check(GOOD, LIMIT_SECONDS)
    monkeypatch.setattr(TrialWorker, "compile", None)
    trials.check(GOOD, LIMIT_SECONDS)


def test_one_that_takes_too_long_is_ended(worker: TrialWorker) -> None:
    os.kill(worker.pid, signal.SIGSTOP)
    os.waitpid(worker.pid, os.WUNTRACED)  # until it has stopped
    with pytest.raises(TimeoutError):
        worker.compile(GOOD, 0.05)
    assert worker.end() == -signal.SIGKILL


def test_a_worker_that_is_killed_is_replaced(trials: Trials) -> None:
    trials.check(GOOD, LIMIT_SECONDS)
    (worker,) = trials._idle
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(ValueError, match="make it simpler"):
        trials.check(JsonSchema({}).text(), LIMIT_SECONDS)
    trials.check(JsonSchema({}).text(), LIMIT_SECONDS)


def test_none_is_started_before_the_first_or_kept_after_the_end(trials: Trials) -> None:
    assert trials._idle == []
    trials.stop()
    trials.check(GOOD, LIMIT_SECONDS)
    assert trials._idle == []


def test_one_that_does_not_start_is_no_fault_of_a_grammar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_worker, "MODULE", "sterna.no_such_module")
    with pytest.raises(RuntimeError, match="no_such_module"):
        TrialWorker(STACK_BYTES, LIMIT_SECONDS)


def test_its_memory_is_small(worker: TrialWorker) -> None:
    worker.compile(GOOD, LIMIT_SECONDS)
    if sys.platform == "linux":
        lines = Path(f"/proc/{worker.pid}/status").read_text().splitlines()
        (resident,) = (line.split()[1] for line in lines if line.startswith("VmRSS"))
        assert int(resident) < 40 << 10
