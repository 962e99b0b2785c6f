"""Wire types of ``/v1/completions``."""

from typing import Annotated, ClassVar, Literal, TypeGuard

from pydantic import BaseModel, BeforeValidator

from server.schemas.answer import EndReason, OptionalUsage
from server.schemas.body import Neutral, is_unicode
from server.schemas.common import SamplingFields

DEFAULT_MAX_TOKENS = 16  # OpenAI's

Prompt = str | list[int]


def _as_prompts(value: object) -> object:
    """All four forms of OpenAI as one: a list of prompts, each a text or token ids."""
    prompts = value if isinstance(value, list) and not _is_prompt(value) else [value]
    if not prompts or not all(map(_is_prompt, prompts)):
        raise ValueError("must be a text or token ids, or a list of these, and not empty")
    return prompts


def _is_prompt(value: object) -> TypeGuard[Prompt]:
    if isinstance(value, list):
        return bool(value) and all(type(item) is int for item in value)  # a bool is no token
    return isinstance(value, str) and value != "" and is_unicode(value)


class CompletionRequest(SamplingFields):
    """Prompts, as text or as token ids, for the model to continue."""

    neutral: ClassVar[Neutral] = SamplingFields.neutral | {
        "best_of": (1,),
        "echo": (False,),
        "logprobs": (),  # 0 asks for the logprob of each token
        "suffix": ("",),
    }

    prompt: Annotated[list[Prompt], BeforeValidator(_as_prompts)]


class Choice(BaseModel):
    """One of ``n`` answers to one prompt: answers to the first prompt come first."""

    index: int
    text: str
    logprobs: None = None
    finish_reason: EndReason | None


class Completion(BaseModel):
    """The answer in one piece, or one event of a stream; all events have one id."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[Choice]
    usage: OptionalUsage = None
    system_fingerprint: None = None
