"""The batch of one step, as arrays: what a program is run on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sterna.engine.kernels.arrays import Floats, Ints

CACHE_TOKENS = 16  # tokens in a block of the KV cache; kCacheTokens in csrc/kernel_table.h


@dataclass(frozen=True, slots=True)
class Step:
    """T tokens of R requests, of which S rows give logits. All arrays are contiguous int32.

    Tokens of one request stand together, in order; a request's tokens follow what its cache
    blocks already hold.
    """

    token_ids: Ints  # [T]
    positions: Ints  # [T], from 0
    slots: Ints  # [T]: cache block * CACHE_TOKENS + offset, where keys and values go
    block_tables: Ints  # [R, B]: cache blocks of each request, in order; padded with any block
    query_starts: Ints  # [R + 1]: the tokens of request r are query_starts[r] : query_starts[r + 1]
    logit_rows: Ints  # [S]: rows of T


BANNED = float(np.finfo(np.float32).min)  # as a logit: a token that must not be drawn


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to draw a token from each of S rows of logits. Contiguous arrays of length S.

    Filters apply in the order min_p, top_k, top_p; equal logits rank by token id, low first.
    """

    temperature: Floats  # 0: the most likely token
    top_k: Ints  # 0: all
    top_p: Floats  # in (0, 1]
    min_p: Floats  # in [0, 1]
    uniform: NDArray[np.float64]  # in [0, 1)


@dataclass(frozen=True, slots=True)
class Logprobs:
    """Natural log-probabilities from S rows of logits; all NaN where a row is not finite."""

    of_tokens: Floats  # [S]: of the tokens asked for
    top_token_ids: Ints  # [S, k]: the likeliest, best first; -1 past the end of the vocabulary
    top_logprobs: Floats  # [S, k]
