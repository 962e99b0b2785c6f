"""Log-probabilities of the model's own distribution.

That is before temperature, penalties, biases, masks and filters. Logarithms are natural.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token and its log-probability at one position."""

    token_id: int
    logprob: float


@dataclass(frozen=True, slots=True)
class PromptLogprob:
    """A prompt token's log-probability, and likely alternatives."""

    token_id: int
    logprob: float | None  # None: the first token has nothing before it
    top: tuple[TokenLogprob, ...] = ()  # best first
    rank: int | None = None  # of the token: 1 is the likeliest; None with ``logprob``
