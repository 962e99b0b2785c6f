"""Counts of each token in a request, for its penalties."""

from array import array
from collections.abc import Iterable


class TokenCounts:
    """Every token of a request once, in order of appearance, with its count in the output.

    The arrays are parallel, so that they can be copied fast. A function of the request's tokens
    alone: neither the batch nor a preemption changes it.
    """

    def __init__(self, prompt: Iterable[int], output: Iterable[int] = ()) -> None:
        self.token_ids = array("i", dict.fromkeys(prompt))
        self.counts = array("i", bytes(self.token_ids.itemsize * len(self.token_ids)))
        self._index = {token_id: index for index, token_id in enumerate(self.token_ids)}
        for token_id in output:
            self.add(token_id)

    def add(self, token_id: int) -> None:
        """Count a token of the output."""
        index = self._index.setdefault(token_id, len(self.token_ids))
        if index == len(self.token_ids):
            self.token_ids.append(token_id)
            self.counts.append(0)
        self.counts[index] += 1
