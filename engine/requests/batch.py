"""The work of a step: the shared language of scheduler and model runner.

One of each is created per token. They are not frozen, which would make them three times slower.
"""

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
    """The token chosen for one entry that samples; or none, and how its request ends."""

    token_id: int | None
    logprob: float
    top_logprobs: tuple[TokenLogprob, ...] = ()
    end: FinishReason = FinishReason.ERROR  # without a token
    failure: GenerationError | None = None  # the error; None: the model's output is not finite

    @property
    def result(self) -> int | FinishReason | None:
        """The token or the reason to end; None if no logit is finite."""
        if self.token_id is not None:
            return self.token_id
        is_finite = self.end is not FinishReason.ERROR or self.failure is not None
        return self.end if is_finite else None
