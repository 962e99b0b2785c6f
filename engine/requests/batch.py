"""The work of a step: the shared language of scheduler and model runner.

Entries and tokens are created for every token. They are not frozen, which would make them three
times slower to create.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sterna.engine.errors import GenerationError
from sterna.engine.requests.logprobs import TokenLogprob
from sterna.engine.requests.request import FinishReason, Request


@dataclass(slots=True, eq=False)
class BatchEntry:
    """The next ``num_tokens`` pending tokens of one request.

    samples: whether they reach the request's last token, so that its logits give a new one.
    num_scored: how many of them have logits that score the prompt token after them.
    """

    request: Request
    num_tokens: int
    samples: bool = field(init=False)
    num_scored: int = field(init=False)

    def __post_init__(self) -> None:
        request = self.request
        self.samples = self.num_tokens == len(request.token_ids) - request.num_computed_tokens
        self.num_scored = 0 if request.is_plain else request.num_scored(self.num_tokens)


@dataclass(slots=True)
class SampledToken:
    """A token chosen for an entry."""

    token_id: int
    logprob: float
    top_logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """In place of a token: its request is complete without one."""

    reason: FinishReason


@dataclass(frozen=True, slots=True)
class Failed:
    """In place of a token: its request fails."""

    error: GenerationError


@dataclass(frozen=True, slots=True)
class NotFinite:
    """In place of a token: there is no choosing one, and what the request has cached is spoilt."""


Outcome = SampledToken | Ended | Failed | NotFinite
Outcomes = Sequence[Outcome]
"""What a step gives one entry that samples, in order: tokens, or an end, which is the last."""
