"""A runner that reports its work: operations before a step, tokens after it."""

from collections.abc import Sequence

from sterna.engine.core import Runner
from sterna.engine.energy.ledger import Ledger
from sterna.engine.energy.operations import OperationCounter
from sterna.engine.requests.batch import BatchEntry, Outcomes


class MeteredRunner:
    """Runs batches through another runner."""

    def __init__(self, runner: Runner, ledger: Ledger, counter: OperationCounter) -> None:
        self._runner = runner
        self._ledger = ledger
        self._counter = counter

    def run(self, batch: Sequence[BatchEntry]) -> list[Outcomes]:
        """See ``Runner``."""
        self._counter.count(batch)
        sampled = self._runner.run(batch)
        self._ledger.note(batch)
        return sampled
