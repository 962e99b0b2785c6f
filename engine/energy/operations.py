"""Multiply-adds of the network, counted from the batches that ran."""

from collections.abc import Sequence
from dataclasses import dataclass

from sterna.engine.requests.batch import BatchEntry


@dataclass(frozen=True, slots=True)
class Operations:
    """Counts, each of one weight or cached number with one activation."""

    linear: int = 0  # in ternary matrices, where each is an addition alone
    head: int = 0
    attention: int = 0  # queries with keys, and their weights with values

    def __add__(self, other: "Operations") -> "Operations":
        """Both."""
        return Operations(
            self.linear + other.linear, self.head + other.head, self.attention + other.attention
        )


@dataclass(frozen=True, slots=True)
class OperationCosts:
    """Operations of a network: for a token, for a row of logits, for a token of context."""

    linear_per_token: int
    head_per_row: int
    attention_per_context_token: int  # for each query token, over all layers

    def of(self, num_tokens: int, num_rows: int, num_context: int) -> Operations:
        """Operations of so many tokens, rows of logits, and pairs of a query and a key."""
        return Operations(
            self.linear_per_token * num_tokens,
            self.head_per_row * num_rows,
            self.attention_per_context_token * num_context,
        )


class OperationCounter:
    """Counts the batches that it is shown, in plain numbers, as it does at every step."""

    def __init__(self, costs: OperationCosts) -> None:
        self._costs = costs
        self._num_tokens = self._num_rows = self._num_context = 0

    @property
    def total(self) -> Operations:
        """All so far; from any thread, where a step may be counted in part."""
        return self._costs.of(self._num_tokens, self._num_rows, self._num_context)

    def count(self, batch: Sequence[BatchEntry]) -> None:
        """Count a step that is about to run: token i of an entry attends to all up to itself."""
        for entry in batch:
            num_tokens = entry.num_tokens
            self._num_tokens += num_tokens
            self._num_rows += entry.samples + entry.num_scored
            self._num_context += num_tokens * entry.request.num_computed_tokens
            self._num_context += num_tokens * (num_tokens + 1) // 2
