"""Steps for programs of a few operations."""

import numpy as np

from sterna.engine.kernels import CACHE_TOKENS, Step


def plain_step(num_tokens: int) -> Step:
    """A step of one request whose every token gives logits, in cache blocks 0, 1, 2, ..."""
    return request_step([(0, num_tokens, list(range(-(-num_tokens // CACHE_TOKENS))))])


def request_step(requests: list[tuple[int, int, list[int]]]) -> Step:
    """A step of requests given as (tokens already cached, new tokens, cache blocks)."""
    width = max(len(blocks) for _, _, blocks in requests)
    tables = np.array([b + [0] * (width - len(b)) for _, _, b in requests], np.int32)
    positions = np.concatenate([np.arange(s, s + n) for s, n, _ in requests]).astype(np.int32)
    rows = np.repeat(np.arange(len(requests)), [n for _, n, _ in requests])
    slots = tables[rows, positions // CACHE_TOKENS] * CACHE_TOKENS + positions % CACHE_TOKENS
    starts = np.cumsum([0, *(n for _, n, _ in requests)]).astype(np.int32)
    return Step(
        token_ids=np.zeros(len(positions), np.int32),
        positions=positions,
        slots=slots.astype(np.int32),
        block_tables=tables,
        query_starts=starts,
        logit_rows=np.arange(len(positions), dtype=np.int32),
    )
