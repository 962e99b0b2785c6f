"""JSON types of tools in ``/v1/chat/completions``: those that may be called, and calls."""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, ValidationInfo, field_validator

from sterna.server.schemas.body import Body, Items, JsonObject, Text
from sterna.server.schemas.tool_choice import ReadChoice, ToolChoice
from sterna.server.tools.use import Tool, ToolUse

MAX_TOOLS = 128  # OpenAI's
MAX_SCHEMA_CHARACTERS = 64 * 1024  # of one tool, as JSON
NO_PARAMETERS = {"type": "object", "properties": {}, "additionalProperties": False}


def check_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Refuse a schema that cannot describe arguments. Whether it compiles is checked later."""
    if schema.get("type", "object") != "object":
        raise ValueError('"type" must be "object": arguments are a JSON object')
    if len(json.dumps(schema, ensure_ascii=False)) > MAX_SCHEMA_CHARACTERS:
        raise ValueError(f"must not exceed {MAX_SCHEMA_CHARACTERS} characters of JSON")
    return schema if "type" in schema else {"type": "object"} | schema


def check_unique(names: Sequence[str]) -> None:
    """Raise ValueError if two tools have the same name."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"two tools have the name {name!r}: names must be unique")
        seen.add(name)


def check_choice(chosen: Sequence[str] | None, names: Sequence[str]) -> None:
    """Raise ValueError if a chosen tool does not exist. chosen: None for any tool."""
    if not names:
        raise ValueError("requires a call, but tools is empty")
    for name in chosen or ():
        if name not in names:
            raise ValueError(f"names {name!r}, which is not in tools")


ToolName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
ArgumentSchema = Annotated[JsonObject, AfterValidator(check_schema)]


class Function(Body):
    """A function that the model may call."""

    name: ToolName
    description: Text | None = None
    parameters: ArgumentSchema | None = None
    strict: bool | None = None


class FunctionTool(Body):
    """A tool of the only supported type."""

    type: Literal["function"]
    function: Function

    def at(self, position: int) -> Tool:
        """Return the tool, with its position in the request."""
        parameters = self.function.parameters or NO_PARAMETERS
        param = f"tools[{position}].function.parameters"
        is_strict = bool(self.function.strict)
        return Tool(self.function.name, self.function.description, parameters, param, is_strict)


Tools = list[FunctionTool] | None


class ToolFields(Body):
    """Fields about tools."""

    tools: Items[FunctionTool] | None = Field(None, max_length=MAX_TOOLS)
    tool_choice: ReadChoice | None = Field(None, validate_default=True)
    parallel_tool_calls: bool | None = None

    @field_validator("tools")
    @classmethod
    def _names_are_unique(cls, tools: Tools) -> Tools:
        check_unique([tool.function.name for tool in tools or ()])
        return tools

    @field_validator("tool_choice")
    @classmethod
    def _names_exist(cls, choice: ToolChoice | None, info: ValidationInfo) -> ToolChoice | None:
        if choice and (choice.must_call or choice.names):
            tools = info.data.get("tools") or ()
            check_choice(choice.names, [tool.function.name for tool in tools])
        return choice

    def tool_use(self) -> ToolUse:
        """Return the tools shown and allowed; none if the choice is ``none``."""
        choice = self.tool_choice or ToolChoice(type="auto")
        if choice.type == "none" or not self.tools:
            return ToolUse()
        shown = [tool.at(position) for position, tool in enumerate(self.tools)]
        return ToolUse(
            shown=shown,
            allowed=[tool for tool in shown if choice.names is None or tool.name in choice.names],
            must_call=choice.must_call,
            is_parallel=self.parallel_tool_calls is not False and choice.type != "function",
            is_named=choice.type == "function",
        )


class CalledFunction(BaseModel):
    """The called function. Its arguments are a JSON object encoded as a string."""

    name: str
    arguments: str


class ToolCall(BaseModel):
    """One call in an answer."""

    id: str
    type: Literal["function"] = "function"
    function: CalledFunction
