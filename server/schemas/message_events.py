"""JSON types of the answers of ``/v1/messages``: a message, or the events of a stream."""

from typing import Any, Literal

from pydantic import BaseModel

MessageStopReason = Literal["end_turn", "max_tokens", "stop_sequence", "tool_use"]


class TokensCount(BaseModel):
    """Number of tokens in a prompt."""

    input_tokens: int


class MessageUsage(BaseModel):
    """Token counts. Input tokens exclude those read from the cache."""

    input_tokens: int
    cache_creation_input_tokens: Literal[0] = 0
    cache_read_input_tokens: int
    output_tokens: int


class TextContent(BaseModel):
    """Text of the answer."""

    type: Literal["text"] = "text"
    text: str


class ToolUseContent(BaseModel):
    """A call in the answer."""

    type: Literal["tool_use"] = "tool_use"
    id: str
    name: str
    input: dict[str, Any]


Content = TextContent | ToolUseContent


class MessageAnswer(BaseModel):
    """The assistant's message."""

    id: str
    type: Literal["message"] = "message"
    role: Literal["assistant"] = "assistant"
    model: str
    content: list[Content]
    stop_reason: MessageStopReason | None
    stop_sequence: str | None
    usage: MessageUsage


class MessageStart(BaseModel):
    """The first event: the message, without content."""

    type: Literal["message_start"] = "message_start"
    message: MessageAnswer


class BlockStart(BaseModel):
    """The beginning of a block, without content."""

    type: Literal["content_block_start"] = "content_block_start"
    index: int
    content_block: Content


class TextGain(BaseModel):
    """More text."""

    type: Literal["text_delta"] = "text_delta"
    text: str


class InputGain(BaseModel):
    """More of a call's arguments, as JSON text."""

    type: Literal["input_json_delta"] = "input_json_delta"
    partial_json: str


class BlockDelta(BaseModel):
    """More content of a block."""

    type: Literal["content_block_delta"] = "content_block_delta"
    index: int
    delta: TextGain | InputGain


class BlockStop(BaseModel):
    """The end of a block."""

    type: Literal["content_block_stop"] = "content_block_stop"
    index: int


class MessageEnd(BaseModel):
    """Why the answer ended."""

    stop_reason: MessageStopReason
    stop_sequence: str | None


class MessageDelta(BaseModel):
    """The end of the answer, with the counts of the whole answer."""

    type: Literal["message_delta"] = "message_delta"
    delta: MessageEnd
    usage: MessageUsage


class MessageStop(BaseModel):
    """The last event."""

    type: Literal["message_stop"] = "message_stop"


Event = MessageStart | BlockStart | BlockDelta | BlockStop | MessageDelta | MessageStop
