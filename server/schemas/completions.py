"""JSON types of ``/v1/completions``."""

from typing import Annotated, ClassVar, Literal, TypeGuard

from pydantic import BaseModel, BeforeValidator, Field

from sterna.engine import MAX_LOGPROBS
from sterna.server.schemas.answer import (
    EndReason,
    OptionalPromptLogprobs,
    OptionalTokenIds,
    OptionalUsage,
    StopReason,
)
from sterna.server.schemas.body import Items, Neutral, is_unicode
from sterna.server.schemas.logprobs import CompletionLogprobs
from sterna.server.schemas.structured_outputs import ConstrainedFields

DEFAULT_MAX_TOKENS = 16  # OpenAI's

Prompt = str | Items[int]


def _as_prompts(value: object) -> object:
    """Convert OpenAI's four forms to a list of prompts, each a string or token ids."""
    prompts = value if isinstance(value, list) and not _is_prompt(value) else [value]
    if not prompts or not all(map(_is_prompt, prompts)):
        raise ValueError("must be a string, a list of token ids, or a non-empty list of these")
    return prompts


def _is_prompt(value: object) -> TypeGuard[Prompt]:
    if isinstance(value, list):
        return bool(value) and all(type(item) is int for item in value)  # a bool is no token
    return isinstance(value, str) and value != "" and is_unicode(value)


class CompletionRequest(ConstrainedFields):
    """Prompts, as text or as token ids, for the model to continue."""

    neutral: ClassVar[Neutral] = ConstrainedFields.neutral | {"best_of": (1,), "suffix": ("",)}

    prompt: Annotated[
        Items[Prompt],
        BeforeValidator(_as_prompts, json_schema_input_type=Prompt | list[Prompt]),
    ]
    max_tokens: int | None = Field(None, ge=0)
    logprobs: int | None = Field(None, ge=0, le=MAX_LOGPROBS)
    echo: bool | None = None

    @property
    def num_logprobs(self) -> int | None:
        """Number of alternatives for each token; None for no logprobs."""
        return self.logprobs

    @property
    def num_prompt_logprobs(self) -> int | None:
        """Number of alternatives for each prompt token; ``echo`` with ``logprobs`` needs it."""
        wanted = [self.prompt_logprobs]
        if self.echo:
            wanted += [self.logprobs, 0 if self.max_tokens == 0 else None]
        return max((number for number in wanted if number is not None), default=None)


class Choice(BaseModel):
    """One of ``n`` answers to a prompt; answers to the first prompt come first."""

    index: int
    text: str
    logprobs: CompletionLogprobs | None = None
    finish_reason: EndReason | None
    stop_reason: StopReason = None
    prompt_logprobs: OptionalPromptLogprobs = None
    prompt_token_ids: OptionalTokenIds = None
    token_ids: OptionalTokenIds = None


class Completion(BaseModel):
    """The whole answer, or one event of a stream; all its events have the same id."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[Choice]
    usage: OptionalUsage = None
    system_fingerprint: None = None
