"""Log-probabilities of prompt tokens and alternatives, computed by the kernels, as records."""

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from sterna.engine.kernels import Floats, Logprobs, Program
from sterna.engine.requests.batch import BatchEntry
from sterna.engine.requests.logprobs import PromptLogprob, TokenLogprob


def score_prompts(program: Program, logits: Floats, batch: Sequence[BatchEntry]) -> None:
    """Append the prompt scores of a step to its requests' ``prompt_logprobs``.

    logits: the rows that score, in the order of ``build_step``.
    """
    entries = [entry for entry in batch if entry.num_scored]
    token_ids = [_scored_tokens(entry) for entry in entries]
    num_top = max(entry.request.params.prompt_logprobs or 0 for entry in entries)
    flat = np.fromiter(chain.from_iterable(token_ids), np.int32, len(logits))
    results = program.logprobs(logits, flat, num_top)
    ranks = _ranks(logits, flat)
    values = iter(enumerate(results.of_tokens.tolist()))
    for entry, ids in zip(entries, token_ids, strict=True):
        count = entry.request.params.prompt_logprobs or 0
        scored = [
            PromptLogprob(token_id, value, top_of_row(results, row, count), ranks[row])
            for token_id, (row, value) in zip(ids, values, strict=False)
        ]
        assert entry.request.prompt_logprobs is not None
        entry.request.prompt_logprobs += scored


def top_of_row(results: Logprobs, row: int, count: int) -> tuple[TokenLogprob, ...]:
    """List the ``count`` likeliest tokens of a row, best first; a tiny vocabulary has fewer."""
    ids, values = results.top_token_ids[row, :count], results.top_logprobs[row, :count]
    pairs = zip(ids.tolist(), values.tolist(), strict=True)
    return tuple(TokenLogprob(token_id, value) for token_id, value in pairs if token_id >= 0)


def _ranks(logits: Floats, token_ids: NDArray[np.int32]) -> list[int]:
    """Count the tokens of each row that are as likely as the one given, itself among them."""
    own = np.take_along_axis(logits, token_ids[:, np.newaxis], axis=1)
    ranks: list[int] = np.count_nonzero(logits >= own, axis=1).tolist()
    return ranks


def _scored_tokens(entry: BatchEntry) -> list[int]:
    """Return the prompt tokens that an entry scores: those after its rows."""
    first = entry.request.next_logits_position + 1
    return entry.request.token_ids[first : first + entry.num_scored]
