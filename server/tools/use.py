"""What a request lets the model call.

How a call is written is in ``prompt.py``, ``grammar.py`` and ``parser.py``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sterna.server.constraints.grammars import Form, JsonSchema

CALL_BEGIN, CALL_END = "<tool_call>", "</tool_call>"


@dataclass(frozen=True, slots=True)
class Tool:
    """A function of the client, which the model calls by writing its name and arguments."""

    name: str
    description: str | None
    parameters: Mapping[str, Any]  # JSON schema of the arguments, always of an object
    param: str  # where the request states the schema, for errors
    is_strict: bool = False  # arguments follow the schema to the letter, or it is refused
    without: frozenset[str] = frozenset()  # patterns of it that can't be kept to

    @property
    def arguments(self) -> JsonSchema:
        """The form of the arguments."""
        return JsonSchema(self.parameters, self.is_strict, self.without)

    def for_template(self) -> dict[str, Any]:
        """Return the tool as a chat template expects it, in OpenAI's form and order."""
        function: dict[str, Any] = {"name": self.name}
        if self.description is not None:
            function["description"] = self.description
        return {"type": "function", "function": function | {"parameters": self.parameters}}


@dataclass(frozen=True, slots=True)
class ToolUse:
    """Which tools the model is shown, and which of them it may or must call."""

    shown: Sequence[Tool] = ()
    allowed: Sequence[Tool] = ()
    must_call: bool = False
    is_parallel: bool = True  # whether an answer may have several calls
    is_named: bool = False  # the client, not the model, has chosen the tool
    form: Form | None = None  # of an answer that has no calls; None: free text

    def unenforced(self) -> str:
        """What arguments are not held to: of each such tool the keywords, as one line."""
        left_out = {tool.name: tool.arguments.enforced().left_out for tool in self.allowed}
        return "; ".join(f"{name}: {', '.join(found)}" for name, found in left_out.items() if found)
