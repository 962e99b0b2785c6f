"""One token from each row of logits, with all that a request may ask of it.

Rows of plain requests go to the kernels as they are. What the others are told of the model's own
distribution is computed from a copy of their rows, made before they are edited.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import isnan
from typing import Final

import numpy as np

from sterna.engine.errors import ConstraintError
from sterna.engine.execution.logit_edits import Row, edit_logits
from sterna.engine.execution.prompt_scores import top_of_row
from sterna.engine.execution.random_numbers import build_sampling
from sterna.engine.kernels import BANNED, Floats, Program
from sterna.engine.requests.batch import SampledToken
from sterna.engine.requests.request import FinishReason, Request

NOTHING_ALLOWED: Final = (
    "no token is allowed to come next: constraint, min_tokens and the like exclude each other"
)


def sample_rows(
    program: Program, logits: Floats, requests: Sequence[Request]
) -> list[SampledToken]:
    """Choose the next token of each of S requests from logits [S, V], which may be edited."""
    special = [row for row, request in enumerate(requests) if not request.is_plain]
    if not special:
        return _draw(program, logits, requests)
    raw = logits[special]  # a copy
    ends = [_prepare(logits[row], requests[row]) for row in special]
    sampled = _draw(program, logits, requests)
    drawn = [end or sampled[row] for row, end in zip(special, ends, strict=True)]
    token_ids = np.array([token.token_id or 0 for token in drawn], np.int32)
    num_top = max(requests[row].params.num_logprobs for row in special)
    logprobs = program.logprobs(raw, token_ids, num_top)
    for i, (row, token) in enumerate(zip(special, drawn, strict=True)):
        top = top_of_row(logprobs, i, requests[row].params.num_logprobs)
        own = float(logprobs.of_tokens[i])
        has_token = token.token_id is not None
        sampled[row] = replace(token, logprob=own, top_logprobs=top) if has_token else token
    return sampled


def _draw(program: Program, logits: Floats, requests: Sequence[Request]) -> list[SampledToken]:
    token_ids, logprobs = program.sample(logits, build_sampling(requests))
    return [
        SampledToken(None if token_id < 0 else token_id, logprob)  # < 0: not finite
        for token_id, logprob in zip(token_ids.tolist(), logprobs.tolist(), strict=True)
    ]


def _prepare(row: Row, request: Request) -> SampledToken | None:
    """Edit a row of logits, or tell how its request ends without a token."""
    if not np.isfinite(row).all() or _is_badly_scored(request):
        return SampledToken(None, 0.0)
    if request.params.max_tokens == 0:
        return SampledToken(None, 0.0, end=FinishReason.LENGTH)
    if (guide := request.guide) is not None:
        if failure := guide.failure():
            return SampledToken(None, 0.0, failure=failure)
        if guide.is_finished and not request.params.stop_token_ids:
            return SampledToken(None, 0.0, end=FinishReason.STOP)
    edit_logits(row, request)
    if row.max() == BANNED:
        return SampledToken(None, 0.0, failure=ConstraintError(NOTHING_ALLOWED))
    return None


def _is_badly_scored(request: Request) -> bool:
    scores = request.prompt_logprobs or ()
    return any(score.logprob is not None and isnan(score.logprob) for score in scores)
