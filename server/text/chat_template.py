"""The checkpoint's chat template: messages -> the text of a prompt, in jinja's sandbox.

The template is code from the checkpoint: it may only read its variables, and what it raises is an
answer to the client.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any, Final

from jinja2 import Template, TemplateError, meta

from sterna.engine import CheckpointError
from sterna.server.errors import InvalidRequestError
from sterna.server.text.checkpoint_text import CheckpointText
from sterna.server.text.message_content import Message, Reading, as_read
from sterna.server.text.template_sandbox import TemplateSandbox, render
from sterna.server.tools import prompt
from sterna.server.tools.use import Tool

MAX_REASON_CHARS: Final = 1000  # a template may raise any text


class ChatTemplate:
    """The compiled templates of a checkpoint, without and with tools; often the same."""

    def __init__(self, plain: "Source", for_tools: "Source") -> None:
        self._plain = plain
        self._for_tools = for_tools

    @classmethod
    def load(cls, text: CheckpointText) -> "ChatTemplate | None":
        """The template of a checkpoint, None if it has none. Raises CheckpointError."""
        sources, special_tokens = text.chat_templates(), text.special_tokens()
        if "default" not in sources:
            return None
        try:
            plain = Source(sources["default"], special_tokens)
            for_tools = plain
            if "tool_use" in sources:
                for_tools = Source(sources["tool_use"], special_tokens)
        except (
            TemplateError, LookupError, TypeError, ValueError, AttributeError, RecursionError,
        ) as error:  # fmt: skip
            place = text.place_of("chat templates")
            raise CheckpointError(f"{place}: the chat template does not compile: {error}") from None
        return cls(plain, for_tools)

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
        if not source.takes_tools and (tools or prompt.has_calls(messages)):
            takes_system = source.reading.takes_system
            messages = prompt.as_text(as_read(messages), tools, takes_system=takes_system)
            tools = ()
        try:
            return source.render(messages, tools, add_generation_prompt=add_generation_prompt)
        except Exception as error:  # whatever a template can raise is about these messages
            reason = str(error)[:MAX_REASON_CHARS]
            message = f"The model's chat template rejects these messages: {reason}"
            raise InvalidRequestError(message, param="messages") from error


class Source:
    """One template, with the special tokens that it may use."""

    def __init__(self, text: object, special_tokens: Mapping[str, str]) -> None:
        """Compile it. Raises what jinja does, and TypeError."""
        if not isinstance(text, str):  # jinja would take the text of anything
            raise TypeError(f"found {type(text).__name__}, expected a string")
        sandbox = TemplateSandbox()
        tree = sandbox.parse(text)
        self.takes_tools = "tools" in meta.find_undeclared_variables(tree)
        self._template: Template = sandbox.compile_bounded(tree)
        self._special_tokens = special_tokens

    def render(self, messages: Sequence[Message], tools: Sequence[Tool], **variables: Any) -> str:  # noqa: ANN401
        """Render these messages, with the same variables as in ``transformers``."""
        return self._render(as_read(messages, self.reading.with_parts), tools, **variables)

    @cached_property
    def reading(self) -> Reading:
        """What it shows of the messages that it receives."""
        return Reading.of(partial(self._render, tools=(), add_generation_prompt=False))

    def _render(self, messages: Sequence[Message], tools: Sequence[Tool], **variables: Any) -> str:  # noqa: ANN401
        return render(
            self._template,
            messages=messages,
            tools=[tool.for_template() for tool in tools] or None,
            documents=None,
            **variables,
            **self._special_tokens,
        )
