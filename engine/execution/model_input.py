"""The batch as arrays for the kernels."""

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from sterna.engine.kernels import CACHE_TOKENS, Step
from sterna.engine.requests.batch import BatchEntry

Ints = NDArray[np.int32]


def build_step(batch: Sequence[BatchEntry]) -> Step:
    """Concatenate the pending tokens of a batch: T tokens of R requests.

    S of them give logits: the last token of each entry that samples, in order, and then those that
    score a prompt, entry by entry.
    """
    num_tokens = np.array([entry.num_tokens for entry in batch], np.int32)
    starts = np.array([entry.request.num_computed_tokens for entry in batch], np.int32)
    query_starts = np.zeros(len(batch) + 1, np.int32)
    np.cumsum(num_tokens, out=query_starts[1:])
    rows = np.repeat(np.arange(len(batch), dtype=np.int32), num_tokens)  # request of each token
    positions = np.arange(len(rows), dtype=np.int32) + (starts - query_starts[:-1])[rows]
    tables = _block_tables(batch)
    samples = np.array([entry.samples for entry in batch], np.bool_)
    logit_rows = query_starts[1:][samples] - 1
    if any(entry.num_scored for entry in batch):
        logit_rows = np.concatenate([logit_rows, *_scoring_rows(batch, query_starts)])
    return Step(
        token_ids=np.fromiter(chain.from_iterable(map(_pending, batch)), np.int32, len(rows)),
        positions=positions,
        slots=tables[rows, positions // CACHE_TOKENS] * CACHE_TOKENS + positions % CACHE_TOKENS,
        block_tables=tables,
        query_starts=query_starts,
        logit_rows=logit_rows,
    )


def _scoring_rows(batch: Sequence[BatchEntry], query_starts: Ints) -> list[Ints]:
    """Return the rows of T that score a prompt, of each entry that has any."""
    rows = []
    for entry, start in zip(batch, query_starts.tolist(), strict=False):
        request = entry.request
        if entry.num_scored:
            first = start + request.next_logits_position - request.num_computed_tokens
            rows.append(np.arange(first, first + entry.num_scored, dtype=np.int32))
    return rows


def _pending(entry: BatchEntry) -> list[int]:
    start = entry.request.num_computed_tokens
    return entry.request.token_ids[start : start + entry.num_tokens]


def _block_tables(batch: Sequence[BatchEntry]) -> Ints:
    """Copy the block tables into one array [R, B], padded with 0."""
    longest = max(len(entry.request.block_table) for entry in batch)
    tables = np.zeros((len(batch), longest), np.int32)
    for row, entry in zip(tables, batch, strict=True):
        row[: len(entry.request.block_table)] = entry.request.block_table
    return tables
