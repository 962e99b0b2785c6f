"""JSON types of logprobs: for chat, for completions, and vLLM's for prompts.

All are natural logarithms of the model's own distribution, before temperature, penalties and
bias, and never below -9999.
"""

from pydantic import BaseModel


class TopLogprob(BaseModel):
    """An alternative at the position of a token."""

    token: str
    logprob: float
    bytes: list[int]


class TokenLogprob(TopLogprob):
    """A token of an answer, with the most likely alternatives, best first."""

    top_logprobs: list[TopLogprob]


class ChatLogprobs(BaseModel):
    """Logprobs of all generated tokens, including those without text."""

    content: list[TokenLogprob]
    refusal: None = None


class CompletionLogprobs(BaseModel):
    """Four lists of equal length; both logprobs of a prompt's first token are null."""

    text_offset: list[int]  # in characters of the choice's text
    token_logprobs: list[float | None]
    tokens: list[str]
    top_logprobs: list[dict[str, float] | None]


class PromptTokenLogprob(BaseModel):
    """A token of the prompt, or an alternative to it."""

    logprob: float
    rank: int | None  # 1: the most likely
    decoded_token: str


PromptLogprobs = list[dict[int, PromptTokenLogprob] | None]
