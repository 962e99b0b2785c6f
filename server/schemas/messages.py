"""JSON types of requests to ``/v1/messages``, in Anthropic's form."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from sterna.server.schemas.body import Body, Items, Neutral, Text
from sterna.server.schemas.common import Stops
from sterna.server.schemas.message_blocks import (
    AnyBlock,
    TextBlock,
    TextBlocks,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    as_blocks,
)
from sterna.server.schemas.tools import (
    MAX_TOOLS,
    ArgumentSchema,
    ToolName,
    check_choice,
    check_unique,
)

ROLES: Final = {
    "tool_use": "assistant",
    "thinking": "assistant",
    "redacted_thinking": "assistant",
    "tool_result": "user",
}


class Turn(Body):
    """One message. The system may also speak between messages."""

    inert: ClassVar[frozenset[str]] = frozenset({"id"})

    role: Literal["user", "assistant", "system"]
    id: str | None = None  # of the message, which a client may keep
    content: Annotated[
        Items[AnyBlock],
        Field(min_length=1),
        BeforeValidator(as_blocks, json_schema_input_type=str | list[AnyBlock]),
    ]

    @model_validator(mode="after")
    def _has_blocks_of_its_role(self) -> Self:
        types = [block.type for block in self.content]
        for kind, role in ROLES.items():
            if kind in types and self.role != role:
                raise ValueError(f"{kind} blocks are not allowed when role is {self.role}")
        if "tool_result" in types[len(self.results) :]:
            raise ValueError("tool_result blocks must come before text")
        return self

    @property
    def texts(self) -> list[str]:
        """The texts of the message."""
        return [block.text for block in self.content if isinstance(block, TextBlock)]

    @property
    def thoughts(self) -> list[str]:
        """The thinking of the assistant."""
        return [block.thinking for block in self.content if isinstance(block, ThinkingBlock)]

    @property
    def uses(self) -> list[ToolUseBlock]:
        """The calls."""
        return [block for block in self.content if isinstance(block, ToolUseBlock)]

    @property
    def results(self) -> list[ToolResultBlock]:
        """The results of the previous message's calls."""
        return [block for block in self.content if isinstance(block, ToolResultBlock)]


def check_turns(turns: Sequence[Turn]) -> list[Turn]:
    """Check that each call has its result in the next message, unless the user writes instead.

    Raises ValueError that names the message.
    """
    expected: list[str] = []
    for position, turn in enumerate(turns):
        results = sorted(result.tool_use_id for result in turn.results)
        goes_on = turn.role != "assistant" and bool(turn.texts)
        is_among = set(results) <= set(expected) and len(set(results)) == len(results)
        if results != sorted(expected) and not (goes_on and is_among):
            raise ValueError(
                f"messages[{position}] must have exactly one tool_result for each tool_use "
                f"of the preceding message: expected {expected}"
            )
        expected = [use.id for use in turn.uses]
        if len(set(expected)) < len(expected):
            raise ValueError(f"messages[{position}] has two tool_use blocks with the same id")
    if turns[-1].role == "assistant":
        raise ValueError(
            "the last message must have role user: continuing an answer is not supported"
        )
    return list(turns)


def check_thread(thread: dict[str, Any]) -> dict[str, Any]:
    """Raise ValueError if the request relies on a stored conversation."""
    if thread.get("type") != "create":
        raise ValueError("conversations are not stored here; send all messages, without a thread")
    return thread


class OutputFormat(Body):
    """JSON that follows a schema."""

    type: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")


class OutputConfig(Body):
    """The form of the answer. The effort has no effect here."""

    inert: ClassVar[frozenset[str]] = frozenset({"effort", "task_budget"})

    format: OutputFormat | None = None
    effort: str | None = None
    task_budget: dict[str, Any] | None = None


class InputTool(Body):
    """A tool of the client, the only supported type."""

    inert: ClassVar[frozenset[str]] = frozenset({"cache_control", "eager_input_streaming"})
    neutral: ClassVar[Neutral] = {
        "allowed_callers": (["direct"],),
        "defer_loading": (False,),
        "input_examples": ([],),
    }

    type: Literal["custom"] | None = None
    name: ToolName
    description: Text | None = None
    input_schema: ArgumentSchema
    strict: bool | None = None
    eager_input_streaming: bool | None = None  # arguments are always sent as they come
    cache_control: dict[str, Any] | None = None


class Choice(Body):
    """Whether to call a tool, and which."""

    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None

    @model_validator(mode="after")
    def _names_a_tool_if_it_must(self) -> Self:
        if (self.name is None) == (self.type == "tool"):
            raise ValueError("name is required when type is tool, and not allowed otherwise")
        return self


Tools = list[InputTool] | None
MaybeChoice = Choice | None


class CountTokensRequest(Body):
    """A conversation."""

    # These concern accounting, or models that think, manage their context or decline. They never
    # change what this server generates.
    inert: ClassVar[frozenset[str]] = frozenset(
        {"betas", "cache_control", "context_management", "diagnostics", "fallbacks", "metadata"}
        | {"service_tier", "speed", "thinking", "thread"}
    )
    neutral: ClassVar[Neutral] = {
        "compaction": (),
        "container": (),
        "inference_geo": (),
        "mcp_servers": ([],),
    }

    # Checked first: with a thread, the messages would not be complete.
    thread: Annotated[dict[str, Any], AfterValidator(check_thread)] | None = None
    model: str | None = None
    messages: Annotated[Items[Turn], Field(min_length=1), AfterValidator(check_turns)]
    system: TextBlocks | None = None
    tools: Items[InputTool] | None = Field(None, max_length=MAX_TOOLS)
    tool_choice: Choice | None = None
    output_config: OutputConfig | None = None
    output_format: OutputFormat | None = None  # the older name of output_config.format

    betas: list[str] | None = None
    cache_control: dict[str, Any] | None = None
    context_management: dict[str, Any] | None = None
    diagnostics: dict[str, Any] | None = None
    fallbacks: list[Any] | str | None = None
    metadata: dict[str, Any] | None = None
    service_tier: str | None = None
    speed: str | None = None
    thinking: dict[str, Any] | None = None

    @field_validator("tools")
    @classmethod
    def _names_are_unique(cls, tools: Tools) -> Tools:
        check_unique([tool.name for tool in tools or ()])
        return tools

    @field_validator("tool_choice")
    @classmethod
    def _names_exist(cls, choice: MaybeChoice, info: ValidationInfo) -> MaybeChoice:
        if choice and choice.type in ("any", "tool"):
            tools = info.data.get("tools") or ()
            check_choice([choice.name] if choice.name else None, [tool.name for tool in tools])
        return choice

    @property
    def format(self) -> OutputFormat | None:
        """The required form of the answer; None for free text."""
        config = self.output_config
        return (config.format if config else None) or self.output_format


class MessagesRequest(CountTokensRequest):
    """A conversation for the model to continue."""

    max_tokens: int = Field(ge=1)
    stop_sequences: Stops | None = None
    stream: bool | None = None
    temperature: float | None = Field(None, ge=0, le=1)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=0, lt=2**31)
