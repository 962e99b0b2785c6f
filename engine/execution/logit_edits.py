"""Edits of a request's logits: penalties, biases, bans. Does not sample.

Uses numpy, only on rows of requests that need it.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sterna.engine.kernels import BANNED
from sterna.engine.requests.request import Request

_LARGEST: Final = float(np.finfo(np.float32).max)

Row = NDArray[np.float32]


def edit_logits(row: Row, request: Request) -> None:
    """Change the finite logits [V] of a request's next token in place.

    The request's guide, if it has one, has its mask ready.
    """
    if request.token_counts is not None:
        _penalize(row, request)
    if request.params.logit_bias:
        _add_bias(row, request)
    if request.guide is not None and request.guide.is_finished:
        _allow_only(row, _stops(row, request))  # however few tokens there are
        return
    if request.guide is not None:
        row[~_allowed(request.guide.mask, len(row))] = BANNED
    if request.num_output_tokens < request.params.min_tokens:
        row[_stops(row, request)] = BANNED


def _penalize(row: Row, request: Request) -> None:
    params, seen = request.params, request.token_counts
    assert seen is not None
    token_ids, counts = np.array(seen.token_ids), np.array(seen.counts)
    logits, factor = row[token_ids].astype(np.float64), params.repetition_penalty
    logits = np.where(logits > 0, logits / factor, logits * factor)
    logits -= params.frequency_penalty * counts + params.presence_penalty * (counts > 0)
    row[token_ids] = np.clip(logits, -_LARGEST, _LARGEST)


def _add_bias(row: Row, request: Request) -> None:
    bias = request.params.logit_bias
    token_ids = np.fromiter(bias.keys(), np.int64, len(bias))
    row[token_ids] += np.fromiter(bias.values(), np.float32, len(bias))


def _stops(row: Row, request: Request) -> list[int]:
    return [token_id for token_id in request.params.stop_token_ids if token_id < len(row)]


def _allow_only(row: Row, token_ids: list[int]) -> None:
    kept = row[token_ids]
    row.fill(BANNED)
    row[token_ids] = kept


def _allowed(mask: bytearray, vocab_size: int) -> NDArray[np.bool_]:
    bits = np.unpackbits(np.frombuffer(mask, np.uint8), count=vocab_size, bitorder="little")
    return bits.view(np.bool_)
