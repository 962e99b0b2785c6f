"""A model whose output proves that the cache was right: it needs no weights.

It stores, for each token, a hash of everything up to it, as real keys and values depend on the
whole prefix. It reads them back through the block table: one wrong slot changes the output.
"""

from collections.abc import Sequence

from sterna.engine.requests.batch import BatchEntry, Outcomes, SampledToken
from sterna.engine.requests.request import Request, SamplingParams

VOCAB_SIZE = 50


def digest(values: list[int]) -> int:
    result = 7
    for value in values:
        result = (result * 31 + value + 1) % 1_000_003
    return result


def next_token(prefix_digests: list[int]) -> int:
    return digest(prefix_digests) % VOCAB_SIZE


def expected_output(prompt: list[int], params: SamplingParams) -> list[int]:
    """Return the output tokens of a request that is alone in the world."""
    tokens = list(prompt)
    while len(tokens) - len(prompt) < params.max_tokens:
        tokens.append(next_token([digest(tokens[: i + 1]) for i in range(len(tokens))]))
        if tokens[-1] in params.stop_token_ids:
            break
    return tokens[len(prompt) :]


class HashModel:
    """Writes tokens into paged slots, and reads its context back through the block table."""

    def __init__(self, num_blocks: int, block_tokens: int) -> None:
        self.block_tokens = block_tokens
        self.slots = [-1] * (num_blocks * block_tokens)

    def run(self, batch: Sequence[BatchEntry]) -> list[Outcomes]:
        for entry in batch:
            r = entry.request
            for p in range(r.num_computed_tokens, r.num_computed_tokens + entry.num_tokens):
                self.slots[self._slot(r, p)] = digest(r.token_ids[: p + 1])
        return [(self._sample(entry.request),) for entry in batch if entry.samples]

    def _sample(self, request: Request) -> SampledToken:
        context = [self.slots[self._slot(request, p)] for p in range(len(request.token_ids))]
        return SampledToken(next_token(context), -1.0)

    def _slot(self, request: Request, position: int) -> int:
        block, offset = divmod(position, self.block_tokens)
        return request.block_table[block] * self.block_tokens + offset
