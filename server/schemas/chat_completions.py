"""Wire types of ``/v1/chat/completions``."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, Field, ValidationInfo, field_validator

from server.schemas.answer import (
    EndReason,
    OptionalPromptLogprobs,
    OptionalTokenIds,
    OptionalUsage,
    StopReason,
    Usage,
)
from server.schemas.body import Body, Neutral, Text
from server.schemas.common import SamplingFields
from server.schemas.logprobs import MAX_LOGPROBS, ChatLogprobs


class TextPart(Body):
    """A piece of a message; only text is supported."""

    type: Literal["text"]
    text: Text


def _as_parts(value: object) -> object:
    if isinstance(value, str):
        return [{"type": "text", "text": value}]
    if not isinstance(value, list):
        raise ValueError("must be a string or a list of text parts")
    return value


class Message(Body):
    """One turn of the conversation. A developer is treated as the system."""

    neutral: ClassVar[Neutral] = {  # a client sends back the assistant's message as it got it
        "refusal": (),
        "audio": (),
        "function_call": (),
        "tool_calls": ([],),
        "annotations": ([],),
        "reasoning_content": (),
    }

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[list[TextPart], Field(min_length=1), BeforeValidator(_as_parts)]
    name: Text | None = None

    def for_template(self) -> dict[str, str]:
        """The message as a chat template expects it, with its parts joined."""
        role = "system" if self.role == "developer" else self.role
        message = {"role": role, "content": "".join(part.text for part in self.content)}
        return message if self.name is None else message | {"name": self.name}


class ChatCompletionRequest(SamplingFields):
    """A conversation for the model to continue."""

    neutral: ClassVar[Neutral] = SamplingFields.neutral | {
        "audio": (),
        "function_call": ("none", "auto"),
        "functions": ([],),
        "modalities": (["text"],),
        "parallel_tool_calls": (True, False),  # says nothing without tools
        "prediction": (),
        "reasoning_effort": (),
        "response_format": ({"type": "text"},),
        "tool_choice": ("none", "auto"),
        "tools": ([],),
        "verbosity": (),
        "web_search_options": (),
    }

    messages: list[Message] = Field(min_length=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=MAX_LOGPROBS)

    @field_validator("top_logprobs")
    @classmethod
    def _belongs_to_logprobs(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value and not info.data.get("logprobs"):
            raise ValueError("allowed only when logprobs is true")
        return value

    @property
    def token_limit(self) -> int | None:
        """Tokens that each answer may have; None: what the context leaves."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    @property
    def num_logprobs(self) -> int | None:
        """Alternatives to list for each token; None: no logprobs at all."""
        return (self.top_logprobs or 0) if self.logprobs else None


class ResponseMessage(BaseModel):
    """The assistant's answer."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(BaseModel):
    """One of ``n`` answers."""

    index: int
    message: ResponseMessage
    logprobs: ChatLogprobs | None = None
    finish_reason: EndReason
    stop_reason: StopReason = None
    token_ids: OptionalTokenIds = None


class ChatCompletion(BaseModel):
    """The answer in one piece."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    system_fingerprint: None = None
    prompt_logprobs: OptionalPromptLogprobs = None
    prompt_token_ids: OptionalTokenIds = None


class RoleDelta(BaseModel):
    """Who speaks: the first chunk of each answer."""

    role: Literal["assistant"] = "assistant"
    content: None = None


class ContentDelta(BaseModel):
    """Text to append to an answer."""

    content: str


class ChunkChoice(BaseModel):
    """A chunk's part of one answer."""

    index: int
    delta: RoleDelta | ContentDelta
    logprobs: ChatLogprobs | None = None
    finish_reason: EndReason | None = None
    stop_reason: StopReason = None
    token_ids: OptionalTokenIds = None


class ChatCompletionChunk(BaseModel):
    """One event of a stream; all events of a stream have one id."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: OptionalUsage = None
    system_fingerprint: None = None
    prompt_token_ids: OptionalTokenIds = None  # in the first chunk
