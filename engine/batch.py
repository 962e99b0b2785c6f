"""A step's work: the language that the scheduler and the model runner share."""

from dataclasses import dataclass

from engine.errors import GenerationError
from engine.logprobs import TokenLogprob
from engine.request import FinishReason, Request


@dataclass(frozen=True, slots=True)
class BatchEntry:
    """The next ``num_tokens`` pending tokens of one request."""

    request: Request
    num_tokens: int

    @property
    def samples(self) -> bool:
        """True when this step reaches the request's last token, so its logits give a new one."""
        return self.num_tokens == self.request.num_pending_tokens

    @property
    def num_scored(self) -> int:
        """How many of its tokens have logits that score the prompt token after them."""
        return self.request.num_scored(self.num_tokens)


@dataclass(frozen=True, slots=True)
class SampledToken:
    """The token chosen for one entry that samples; or none, and how its request ends."""

    token_id: int | None
    logprob: float
    top_logprobs: tuple[TokenLogprob, ...] = ()
    end: FinishReason = FinishReason.ERROR  # without a token
    failure: GenerationError | None = None  # the error; None: the model's output is not finite

    @property
    def result(self) -> int | FinishReason | None:
        """What the scheduler is told: the token, or the end; None where no output is finite."""
        if self.token_id is not None:
            return self.token_id
        is_finite = self.end is not FinishReason.ERROR or self.failure is not None
        return self.end if is_finite else None
