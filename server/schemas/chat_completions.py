"""Wire types of ``/v1/chat/completions``."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, Field

from server.schemas.answer import EndReason, OptionalUsage, Usage
from server.schemas.body import Body, Neutral, Text
from server.schemas.common import SamplingFields


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
        "logprobs": (False,),
        "modalities": (["text"],),
        "parallel_tool_calls": (True, False),  # says nothing without tools
        "prediction": (),
        "reasoning_effort": (),
        "response_format": ({"type": "text"},),
        "tool_choice": ("none", "auto"),
        "tools": ([],),
        "top_logprobs": (0,),
        "verbosity": (),
        "web_search_options": (),
    }

    messages: list[Message] = Field(min_length=1)
    max_completion_tokens: int | None = Field(None, ge=1)

    @property
    def token_limit(self) -> int | None:
        """Tokens that each answer may have; None: what the context leaves."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens


class ResponseMessage(BaseModel):
    """The assistant's answer."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(BaseModel):
    """One of ``n`` answers."""

    index: int
    message: ResponseMessage
    logprobs: None = None
    finish_reason: EndReason


class ChatCompletion(BaseModel):
    """The answer in one piece."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    system_fingerprint: None = None


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
    logprobs: None = None
    finish_reason: EndReason | None = None


class ChatCompletionChunk(BaseModel):
    """One event of a stream; all events of a stream have one id."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: OptionalUsage = None
    system_fingerprint: None = None
