"""JSON types of the messages of a conversation, and their order."""

import json
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from sterna.server.schemas.body import Body, Items, Neutral, Text


class TextPart(Body):
    """Part of a message; only text is supported."""

    type: Literal["text"]
    text: Text


def _as_parts(value: object) -> object:
    if isinstance(value, str):
        return [{"type": "text", "text": value}]
    if not isinstance(value, list):
        raise ValueError("must be a string or a list of text parts")
    return value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not valid JSON")


def _check_arguments(text: str) -> str:
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object encoded as a string")
    return text


Content = Annotated[
    Items[TextPart],
    Field(min_length=1),
    BeforeValidator(_as_parts, json_schema_input_type=str | list[TextPart]),
]


class EarlierFunction(Body):
    """The function called in an earlier turn."""

    name: Text
    arguments: Annotated[Text, AfterValidator(_check_arguments)]


class EarlierCall(Body):
    """A call of an earlier turn, as returned to the client."""

    inert: ClassVar[frozenset[str]] = frozenset({"index"})  # of a stream: some clients keep it

    index: int | None = None
    id: Text
    type: Literal["function"] = "function"
    function: EarlierFunction

    def for_template(self) -> dict[str, Any]:
        """Return the call as a chat template expects it, with arguments as an object."""
        arguments = json.loads(self.function.arguments)
        function = {"name": self.function.name, "arguments": arguments}
        return {"id": self.id, "type": "function", "function": function}


Calls = list[EarlierCall] | None
Parts = list[TextPart] | None


class Message(Body):
    """One message of the conversation. The role developer is treated as system."""

    neutral: ClassVar[Neutral] = {  # a client sends back the assistant's message as it got it
        "refusal": (),
        "audio": (),
        "function_call": (),
        "annotations": ([],),
        "reasoning_content": (),
    }

    role: Literal["system", "developer", "user", "assistant", "tool"]
    name: Text | None = None
    tool_calls: Items[EarlierCall] | None = None
    content: Content | None = Field(None, validate_default=True)
    tool_call_id: Text | None = Field(None, validate_default=True)

    @field_validator("tool_calls")
    @classmethod
    def _only_the_assistant_calls(cls, value: Calls, info: ValidationInfo) -> Calls:
        if value and info.data.get("role") != "assistant":
            raise ValueError("allowed only when role is assistant")
        return value

    @field_validator("content")
    @classmethod
    def _calls_need_no_content(cls, value: Parts, info: ValidationInfo) -> Parts:
        if value is None and not info.data.get("tool_calls"):
            raise ValueError("required unless tool_calls is given")
        return value

    @field_validator("tool_call_id")
    @classmethod
    def _a_result_names_its_call(cls, value: str | None, info: ValidationInfo) -> str | None:
        if (value is None) == (info.data.get("role") == "tool"):
            raise ValueError("required when role is tool, and not allowed otherwise")
        return value

    @property
    def call_ids(self) -> list[str]:
        """Ids of the message's calls."""
        return [call.id for call in self.tool_calls or ()]

    def for_template(self) -> dict[str, Any]:
        """Return the message as a chat template expects it, with its parts joined."""
        message: dict[str, Any] = {
            "role": "system" if self.role == "developer" else self.role,
            "content": "".join(part.text for part in self.content or ()),
        }
        if self.name is not None:
            message["name"] = self.name
        if self.tool_calls:
            message["tool_calls"] = [call.for_template() for call in self.tool_calls]
        if self.tool_call_id is not None:
            message["tool_call_id"] = self.tool_call_id
        return message


def check_sequence(messages: Sequence[Message]) -> list[Message]:
    """Check that each call is answered exactly once, directly after the message that made it.

    Raises ValueError that names the message.
    """
    open_ids: dict[str, None] = {}  # in order: a set would not say which is the first
    for position, message in enumerate(messages):
        if message.role == "tool":
            if message.tool_call_id is None or message.tool_call_id not in open_ids:
                raise ValueError(
                    f"messages[{position}] answers the call {message.tool_call_id!r}, "
                    "which the preceding assistant message did not make or is already answered"
                )
            del open_ids[message.tool_call_id]
        elif open_ids:
            raise ValueError(
                f"messages[{position}]: expected a message of role tool "
                f"that answers the call {next(iter(open_ids))!r}"
            )
        else:
            open_ids = dict.fromkeys(message.call_ids)
            if len(open_ids) < len(message.call_ids):
                raise ValueError(f"messages[{position}] has two calls with the same id")
    if open_ids:
        raise ValueError(f"no message of role tool answers the call {next(iter(open_ids))!r}")
    return list(messages)


Messages = Annotated[Items[Message], Field(min_length=1), AfterValidator(check_sequence)]


def for_template(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return all messages as a chat template expects them; results get the name of their tool."""
    names: dict[str, str] = {}
    rendered = []
    for message in messages:
        names |= {call.id: call.function.name for call in message.tool_calls or ()}
        turn = message.for_template()
        if message.tool_call_id is not None:
            turn.setdefault("name", names[message.tool_call_id])
        rendered.append(turn)
    return rendered
