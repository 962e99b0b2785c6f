"""Samples one token from each row of logits, as its request asks.

Rows of plain requests go to the kernels unchanged. For the others, log-probabilities are computed
from a copy of their rows before they are edited.
"""

from collections.abc import Sequence
from math import isnan
from typing import Final

import numpy as np

from sterna.engine.errors import ConstraintError
from sterna.engine.execution.logit_edits import Row, edit_logits
from sterna.engine.execution.prompt_scores import top_of_row
from sterna.engine.execution.random_numbers import build_sampling
from sterna.engine.kernels import BANNED, Floats, Program
from sterna.engine.requests.batch import Ended, Failed, NotFinite, Outcome, SampledToken
from sterna.engine.requests.request import FinishReason, Request

NOTHING_ALLOWED: Final = (
    "no token is allowed next: the constraint, min_tokens and other settings contradict each other"
)


def sample_rows(program: Program, logits: Floats, requests: Sequence[Request]) -> list[Outcome]:
    """Choose the next token of each of S requests from logits [S, V], which may be edited."""
    special = [row for row, request in enumerate(requests) if not request.is_plain]
    if not special:
        return _draw(program, logits, requests)
    raw = logits[special]  # a copy
    ends = [_prepare(logits[row], requests[row]) for row in special]
    sampled = _draw(program, logits, requests)
    drawn = [end or sampled[row] for row, end in zip(special, ends, strict=True)]
    token_ids = np.array([_token_id(outcome) for outcome in drawn], np.int32)
    num_top = max(requests[row].params.num_logprobs for row in special)
    logprobs = program.logprobs(raw, token_ids, num_top)
    for i, (row, outcome) in enumerate(zip(special, drawn, strict=True)):
        sampled[row] = outcome
        if isinstance(outcome, SampledToken):
            top = top_of_row(logprobs, i, requests[row].params.num_logprobs)
            sampled[row] = SampledToken(outcome.token_id, float(logprobs.of_tokens[i]), top)
    return sampled


def _draw(program: Program, logits: Floats, requests: Sequence[Request]) -> list[Outcome]:
    token_ids, logprobs = program.sample(logits, build_sampling(requests))
    return [
        SampledToken(token_id, logprob) if token_id >= 0 else NotFinite()
        for token_id, logprob in zip(token_ids.tolist(), logprobs.tolist(), strict=True)
    ]


def _token_id(outcome: Outcome) -> int:
    return outcome.token_id if isinstance(outcome, SampledToken) else 0  # whose row is not read


def _prepare(row: Row, request: Request) -> Ended | Failed | NotFinite | None:
    """Edit a row of logits, or return how its request ends without a token."""
    if not np.isfinite(row).all() or _is_badly_scored(request):
        return NotFinite()
    if request.params.max_tokens == 0:
        return Ended(FinishReason.LENGTH)
    if (guide := request.guide) is not None:
        if failure := guide.failure():
            return Failed(failure)
        if guide.is_finished and not request.params.stop_token_ids:
            return Ended(FinishReason.STOP)
    edit_logits(row, request)
    if row.max() == BANNED:
        return Failed(ConstraintError(NOTHING_ALLOWED))
    return None


def _is_badly_scored(request: Request) -> bool:
    scores = request.prompt_logprobs or ()
    return any(score.logprob is not None and isnan(score.logprob) for score in scores)
