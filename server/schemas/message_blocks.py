"""JSON types of the parts of a turn that is sent to ``/v1/messages``."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from sterna.server.schemas.body import Body, Items, JsonObject, Neutral, Text


class Block(Body):
    """Part of a message. ``cache_control`` has no effect: prefixes are always cached."""

    inert: ClassVar[frozenset[str]] = frozenset({"cache_control"})

    cache_control: dict[str, Any] | None = None


class TextBlock(Block):
    """Plain text."""

    neutral: ClassVar[Neutral] = {"citations": ([],)}

    type: Literal["text"]
    text: Text


class ToolUseBlock(Block):
    """A call of an earlier turn, as returned to the client."""

    neutral: ClassVar[Neutral] = {"caller": ({"type": "direct"},), "toolset_name": ()}

    type: Literal["tool_use"]
    id: Text
    name: Text
    input: JsonObject


def as_blocks(value: object) -> object:
    """Convert a string to a list with one text block."""
    return [{"type": "text", "text": value}] if isinstance(value, str) else value


TextBlocks = Annotated[
    Items[TextBlock], BeforeValidator(as_blocks, json_schema_input_type=str | list[TextBlock])
]


class ToolResultBlock(Block):
    """The result of a tool call."""

    neutral: ClassVar[Neutral] = {"toolset_name": ()}

    type: Literal["tool_result"]
    tool_use_id: Text
    content: TextBlocks | None = None
    is_error: bool | None = None


AnyBlock = Annotated[TextBlock | ToolUseBlock | ToolResultBlock, Field(discriminator="type")]
