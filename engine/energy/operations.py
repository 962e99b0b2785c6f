"""Multiply-adds that the network takes, counted from the batches that really ran."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.batch import BatchEntry


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

    def of(self, batch: Sequence[BatchEntry]) -> Operations:
        """Operations of a batch that is about to run: in plain numbers, as it is every step.

        Token i of an entry attends to all before it, and to itself.
        """
        num_tokens = num_rows = context = 0
        for entry in batch:
            num_tokens += entry.num_tokens
            num_rows += entry.samples + entry.num_scored
            context += entry.num_tokens * entry.request.num_computed_tokens
            context += entry.num_tokens * (entry.num_tokens + 1) // 2
        return Operations(
            self.linear_per_token * num_tokens,
            self.head_per_row * num_rows,
            self.attention_per_context_token * context,
        )


class OperationCounter:
    """Counts the batches that it is shown. ``total`` may be read from any thread."""

    def __init__(self, costs: OperationCosts) -> None:
        self._costs = costs
        self.total = Operations()

    def count(self, batch: Sequence[BatchEntry]) -> None:
        """Count a step that is about to run."""
        self.total += self._costs.of(batch)
