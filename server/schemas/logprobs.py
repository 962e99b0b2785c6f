"""Wire types of logprobs: chat's, those of completions, and vLLM's of prompts.

All are natural logarithms of the model's own distribution, before temperature, penalties and
bias, and -9999 at the least.
"""

from pydantic import BaseModel


class TopLogprob(BaseModel):
    """A token that could have stood here."""

    token: str
    logprob: float
    bytes: list[int]


class TokenLogprob(TopLogprob):
    """A token of an answer, with the most likely ones in its place, best first."""

    top_logprobs: list[TopLogprob]


class ChatLogprobs(BaseModel):
    """Of all tokens that were generated, also those that gave no text."""

    content: list[TokenLogprob]
    refusal: None = None


class CompletionLogprobs(BaseModel):
    """Four lists of the same length; a prompt's first token has null for both logprobs."""

    text_offset: list[int]  # in characters of the choice's text
    token_logprobs: list[float | None]
    tokens: list[str]
    top_logprobs: list[dict[str, float] | None]


class PromptTokenLogprob(BaseModel):
    """A prompt's token, or one that could have stood there."""

    logprob: float
    rank: int | None  # 1: the most likely
    decoded_token: str


PromptLogprobs = list[dict[int, PromptTokenLogprob] | None]
