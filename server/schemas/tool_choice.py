"""JSON types of ``tool_choice``: whether the model calls a tool, and which."""

from typing import Annotated, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from sterna.server.schemas.body import Body, Items


class FunctionName(Body):
    """The name of a tool."""

    name: str


class NamedTool(Body):
    """One of the tools."""

    type: Literal["function"]
    function: FunctionName


class AllowedTools(Body):
    """Some of the tools. The model still sees the whole list."""

    mode: Literal["auto", "required"]
    tools: Items[NamedTool] = Field(min_length=1)


class AllowedChoice(Body):
    """A choice among some of the tools."""

    type: Literal["allowed_tools"]
    allowed_tools: AllowedTools


Word = Literal["none", "auto", "required"]
SentChoice = Word | Annotated[NamedTool | AllowedChoice, Field(discriminator="type")]


class ToolChoice(Body):
    """Whether to call a tool, and which: any ``SentChoice``, with a word converted to a type.

    It is one class, because errors in a union do not name the exact field.
    """

    type: Literal[Word, "function", "allowed_tools"]
    function: FunctionName | None = None
    allowed_tools: AllowedTools | None = None

    @model_validator(mode="after")
    def _says_what_its_type_needs(self) -> Self:
        for name in ("function", "allowed_tools"):
            if (getattr(self, name) is None) == (self.type == name):
                raise ValueError(
                    f"{name} is required when type is {name}, and not allowed otherwise"
                )
        return self

    @property
    def names(self) -> list[str] | None:
        """The tools that may be called; None for all."""
        if self.function:
            return [self.function.name]
        if self.allowed_tools:
            return [tool.function.name for tool in self.allowed_tools.tools]
        return None

    @property
    def must_call(self) -> bool:
        """Whether the model must call a tool."""
        if self.allowed_tools:
            return self.allowed_tools.mode == "required"
        return self.type in ("required", "function")


def _as_object(value: object) -> object:
    if isinstance(value, dict) and value.get("type") in get_args(Word):
        raise ValueError(f"{value['type']} must be sent as a string, not as an object")
    return {"type": value} if isinstance(value, str) else value


ReadChoice = Annotated[ToolChoice, BeforeValidator(_as_object, json_schema_input_type=SentChoice)]
