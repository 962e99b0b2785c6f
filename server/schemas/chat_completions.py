"""Wire types of ``/v1/chat/completions``."""

from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator

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
from sterna.server.schemas.common import Limit
from sterna.server.schemas.logprobs import MAX_LOGPROBS, ChatLogprobs
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
        "web_search_options": (),
    }
    inert: ClassVar[frozenset[str]] = ConstrainedFields.inert | {"reasoning_effort", "verbosity"}

    messages: Messages
    max_completion_tokens: Limit | None = None
    reasoning_effort: str | None = None  # nothing here reasons apart from its answer
    verbosity: str | None = None
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
                "must be none together with ignore_eos: calls end where they are whole"
            )
        outputs: StructuredOutputs | None = info.data.get("structured_outputs")
        if outputs and outputs.grammar is not None and not (value and value.must_call):
            raise ValueError(
                "must be none, required or a tool together with structured_outputs.grammar: only "
                "the other forms can be told apart from calls"
            )
        return value

    def tool_use(self) -> ToolUse:
        """What the model is shown and may call, and the form of an answer that has no calls."""
        use = super().tool_use()
        form, _ = self.constraint() or (None, None)
        return replace(use, form=form) if isinstance(form, Form) and not use.must_call else use

    @property
    def token_limit(self) -> int | None:
        """Tokens that each answer may have; None: the model's default."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    @property
    def num_logprobs(self) -> int | None:
        """Alternatives to list for each token; None: no logprobs at all."""
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

    content: str = ""


class CallBegin(ToolCall):
    """A new call, with arguments that are empty so far."""

    index: int  # of the call in the answer


class ArgumentsDelta(BaseModel):
    """Text to append to a call's arguments."""

    arguments: str


class CallPiece(BaseModel):
    """What a call has gained."""

    index: int
    function: ArgumentsDelta


class CallsDelta(BaseModel):
    """A call's beginning, or more of it."""

    tool_calls: list[CallBegin | CallPiece]


class EndDelta(BaseModel):
    """Nothing to append: an answer with calls ends."""


Delta = RoleDelta | ContentDelta | CallsDelta | EndDelta


class ChunkChoice(BaseModel):
    """A chunk's part of one answer."""

    index: int
    delta: Delta
    logprobs: ChatLogprobs | None = None
    finish_reason: ChatEndReason | None = None
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
