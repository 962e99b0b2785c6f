"""The checkpoint's chat template: messages -> the text of a prompt, in jinja's sandbox.

The template is code from the checkpoint: it may only read its variables, and what it raises is an
answer to the client.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Template, TemplateError, meta

from sterna.engine import CheckpointError
from sterna.server.errors import InvalidRequestError
from sterna.server.text.checkpoint_text import CheckpointText
from sterna.server.text.template_sandbox import TemplateSandbox, render
from sterna.server.tools import prompt
from sterna.server.tools.use import Tool

Message = Mapping[str, Any]  # role, content, perhaps name, tool_calls, tool_call_id


class ChatTemplate:
    """The compiled template of a checkpoint, and the special tokens that it may name.

    ``for_tools`` is the one for requests with tools; most checkpoints have one for all.
    """

    def __init__(
        self, plain: "Source", for_tools: "Source", special_tokens: Mapping[str, str]
    ) -> None:
        self._plain = plain
        self._for_tools = for_tools
        self._special_tokens = special_tokens

    @classmethod
    def load(cls, text: CheckpointText) -> "ChatTemplate | None":
        """The template of a checkpoint, None if it has none. Raises CheckpointError."""
        sources = text.chat_templates()
        if "default" not in sources:
            return None
        try:
            plain = Source.compile(sources["default"])
            for_tools = Source.compile(sources["tool_use"]) if "tool_use" in sources else plain
        except (
            TemplateError, LookupError, TypeError, ValueError, AttributeError, RecursionError,
        ) as error:  # fmt: skip
            place = text.place_of("chat templates")
            raise CheckpointError(f"{place}: the chat template does not compile: {error}") from None
        return cls(plain, for_tools, text.special_tokens())

    def render(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool] = (),
        *,
        add_generation_prompt: bool = True,
    ) -> str:
        """The prompt, up to where the assistant speaks, or (without) to the end of the last turn.

        A template that does not take tools gets them, and earlier calls, as text.
        Raises InvalidRequestError if the template refuses the messages.
        """
        source = self._for_tools if tools else self._plain
        if not source.takes_tools:
            messages, tools = prompt.as_text(messages, tools), ()
        try:
            return render(
                source.template,
                messages=messages,
                tools=[tool.for_template() for tool in tools] or None,
                add_generation_prompt=add_generation_prompt,
                **self._special_tokens,
            )
        except Exception as error:  # whatever a template can raise is about these messages
            message = f"The model's chat template rejects these messages: {error}"
            raise InvalidRequestError(message, param="messages") from error


@dataclass(frozen=True, slots=True)
class Source:
    """A template, and whether it reads ``tools``."""

    template: Template
    takes_tools: bool

    @classmethod
    def compile(cls, text: object) -> "Source":
        """Raises what jinja does, and TypeError."""
        if not isinstance(text, str):  # jinja would take the text of anything
            raise TypeError(f"found {type(text).__name__}, expected a string")
        sandbox = TemplateSandbox()
        tree = sandbox.parse(text)
        takes_tools = "tools" in meta.find_undeclared_variables(tree)
        return cls(sandbox.compile_bounded(tree), takes_tools)
