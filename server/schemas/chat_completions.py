"""JSON types of ``/v1/chat/completions``."""

from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from sterna.engine import MAX_LOGPROBS
from sterna.server.constraints.grammars import Form
from sterna.server.schemas.answer import (
    EndReason,
    OptionalPromptLogprobs,
    OptionalTokenIds,
    OptionalUsage,
    StopReason,
    Usage,
)
from sterna.server.schemas.body import Neutral
from sterna.server.schemas.chat_messages import Messages
from sterna.server.schemas.logprobs import ChatLogprobs
from sterna.server.schemas.structured_outputs import ConstrainedFields, StructuredOutputs
from sterna.server.schemas.tool_choice import ToolChoice
from sterna.server.schemas.tools import ToolCall, ToolFields
from sterna.server.tools.use import ToolUse


class ChatCompletionRequest(ToolFields, ConstrainedFields):  # the latter's fields come first
    """A conversation for the model to continue."""

    neutral: ClassVar[Neutral] = ConstrainedFields.neutral | {
        "audio": (),
        "function_call": ("none", "auto"),
        "functions": ([],),
        "modalities": (["text"],),
        "prediction": (),
        "reasoning_effort": (),
        "verbosity": (),
        "web_search_options": (),
    }

    messages: Messages
    max_completion_tokens: int | None = Field(None, ge=1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=MAX_LOGPROBS)

    @field_validator("top_logprobs")
    @classmethod
    def _belongs_to_logprobs(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value and not info.data.get("logprobs"):
            raise ValueError("allowed only when logprobs is true")
        return value

    @field_validator("tool_choice")
    @classmethod
    def _fits_the_form(cls, value: ToolChoice | None, info: ValidationInfo) -> ToolChoice | None:
        if not info.data.get("tools") or (value and value.type == "none"):
            return value
        if info.data.get("ignore_eos"):
            raise ValueError(
                "must be none when ignore_eos is true: a call ends when it is complete"
            )
        outputs: StructuredOutputs | None = info.data.get("structured_outputs")
        if outputs and outputs.grammar is not None and not (value and value.must_call):
            raise ValueError(
                "must be none, required or a named tool when structured_outputs.grammar is set: "
                "an answer in a grammar cannot be distinguished from a call"
            )
        return value

    def tool_use(self) -> ToolUse:
        """Return the tools shown and allowed, and the form of an answer without calls."""
        use = super().tool_use()
        form, _ = self.constraint() or (None, None)
        return replace(use, form=form) if isinstance(form, Form) and not use.must_call else use

    @property
    def token_limit(self) -> int | None:
        """Maximum length of each answer; None if only the context limits it."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    @property
    def num_logprobs(self) -> int | None:
        """Number of alternatives for each token; None for no logprobs."""
        return (self.top_logprobs or 0) if self.logprobs else None


ChatEndReason = EndReason | Literal["tool_calls"]


def _is_none(value: object) -> bool:
    return value is None


class ResponseMessage(BaseModel):
    """The assistant's answer: text, calls, or both."""

    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: None = None
    tool_calls: list[ToolCall] | None = Field(None, exclude_if=_is_none)


class Choice(BaseModel):
    """One of ``n`` answers."""

    index: int
    message: ResponseMessage
    logprobs: ChatLogprobs | None = None
    finish_reason: ChatEndReason
    stop_reason: StopReason = None
    token_ids: OptionalTokenIds = None


class ChatCompletion(BaseModel):
    """The whole answer, without streaming."""

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
    """The role: the first chunk of each answer."""

    role: Literal["assistant"] = "assistant"
    content: None = None


class ContentDelta(BaseModel):
    """Text to append to an answer."""

    content: str = ""


class CallBegin(ToolCall):
    """The beginning of a call, with empty arguments."""

    index: int  # of the call in the answer


class ArgumentsDelta(BaseModel):
    """Text to append to a call's arguments."""

    arguments: str


class CallPiece(BaseModel):
    """More of a call's arguments."""

    index: int
    function: ArgumentsDelta


class CallsDelta(BaseModel):
    """The beginning of a call, or more of its arguments."""

    tool_calls: list[CallBegin | CallPiece]


class EndDelta(BaseModel):
    """The end of an answer with calls."""


Delta = RoleDelta | ContentDelta | CallsDelta | EndDelta


class ChunkChoice(BaseModel):
    """The part of one answer in a chunk."""

    index: int
    delta: Delta
    logprobs: ChatLogprobs | None = None
    finish_reason: ChatEndReason | None = None
    stop_reason: StopReason = None
    token_ids: OptionalTokenIds = None


class ChatCompletionChunk(BaseModel):
    """One event of a stream; all its events have the same id."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: OptionalUsage = None
    system_fingerprint: None = None
    prompt_token_ids: OptionalTokenIds = None  # in the first chunk
