"""A step's work: the language that the scheduler and the model runner share."""

from dataclasses import dataclass

from engine.request import Request


@dataclass(frozen=True, slots=True)
class BatchEntry:
    """The next ``num_tokens`` pending tokens of one request."""

    request: Request
    num_tokens: int

    @property
    def samples(self) -> bool:
        """True when this step reaches the request's last token, so its logits give a new one."""
        return self.num_tokens == self.request.num_pending_tokens


@dataclass(frozen=True, slots=True)
class SampledToken:
    """The token chosen for one entry that samples; None when its logits were not finite."""

    token_id: int | None
    logprob: float
