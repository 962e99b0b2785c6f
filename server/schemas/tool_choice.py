"""Wire types of ``tool_choice``: whether the model calls a tool of the request's, and which."""

from typing import Annotated, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from sterna.server.schemas.body import Body, Items


class FunctionName(Body):
    """One of the tools, by its name."""

    name: str


class NamedTool(Body):
    """One of the tools."""

    type: Literal["function"]
    function: FunctionName


class AllowedTools(Body):
    """Some of the tools, so that the list itself, which the model reads, need not change."""

    mode: Literal["auto", "required"]
    tools: Items[NamedTool] = Field(min_length=1)


class AllowedChoice(Body):
    """A choice among some of the tools."""

    type: Literal["allowed_tools"]
    allowed_tools: AllowedTools


Word = Literal["none", "auto", "required"]
SentChoice = Word | Annotated[NamedTool | AllowedChoice, Field(discriminator="type")]


class ToolChoice(Body):
    """Whether to call, and what: any ``SentChoice``. A word has become a type.

    One class, since an error of a union doesn't say just where it is.
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
        """The tools that may be called; None: all."""
        if self.function:
            return [self.function.name]
        if self.allowed_tools:
            return [tool.function.name for tool in self.allowed_tools.tools]
        return None

    @property
    def must_call(self) -> bool:
        """Whether an answer without a call is no answer."""
        if self.allowed_tools:
            return self.allowed_tools.mode == "required"
        return self.type in ("required", "function")


def _as_object(value: object) -> object:
    if isinstance(value, dict) and value.get("type") in get_args(Word):
        raise ValueError(f"{value['type']} must be sent as a string, not as an object")
    return {"type": value} if isinstance(value, str) else value


ReadChoice = Annotated[ToolChoice, BeforeValidator(_as_object, json_schema_input_type=SentChoice)]
