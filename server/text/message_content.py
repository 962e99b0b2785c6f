"""The content of messages as a template expects it: a string, or a list of parts.

A template that supports only one of the two silently drops the other. Rendering a short
conversation shows which it supports.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

Message = Mapping[
    str, Any
]  # role, content (a text or parts), perhaps name, tool_calls, tool_call_id
Render = Callable[[Sequence[Message]], str]

_SHOWN: Final = {"system": "qsystemq", "user": "quserq", "assistant": "qassistantq"}
_TURNS: Final = ("system", "user", "assistant", "user")
_TURNS_WITHOUT_SYSTEM: Final = ("user", "assistant", "user")  # which some templates reject


@dataclass(frozen=True, slots=True)
class Reading:
    """What a template shows of the messages that it receives."""

    with_parts: frozenset[str] = frozenset()  # roles whose content must be a list of parts
    takes_system: bool = False

    @classmethod
    def of(cls, render: Render) -> Self:
        """Render test messages to find out."""
        for turns in (_TURNS, _TURNS_WITHOUT_SYSTEM):
            as_texts = _shown(render, turns)
            hidden = frozenset(turns) - as_texts
            with_parts = hidden & _shown(render, turns, with_parts=hidden) if hidden else hidden
            if shown := as_texts | with_parts:
                tool = frozenset({"tool"} if "user" in with_parts else ())
                return cls(with_parts | tool, "system" in shown)
        return cls()


def as_text(content: object) -> str:
    """Return the content as a string, with parts joined by line breaks."""
    if isinstance(content, str):
        return content
    assert isinstance(content, list)
    return "\n".join(part["text"] for part in content)


def as_parts(content: object) -> list[Any]:
    """Return the content as a list of parts."""
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if content else []


def as_read(messages: Sequence[Message], with_parts: frozenset[str] = frozenset()) -> list[Message]:
    """Convert contents to lists of parts for these roles, and to strings for all others."""
    return [
        {**message, "content": as_parts(message["content"])}
        if message["role"] in with_parts
        else message
        if isinstance(message["content"], str)
        else {**message, "content": as_text(message["content"])}
        for message in messages
    ]


def _shown(
    render: Render, turns: Sequence[str], with_parts: frozenset[str] = frozenset()
) -> frozenset[str]:
    """Return the roles whose content is rendered; none if the template rejects the messages."""
    messages = [{"role": role, "content": _SHOWN[role]} for role in turns]
    try:
        text = render(as_read(messages, with_parts))
    except Exception:
        return frozenset()
    return frozenset(role for role in turns if _SHOWN[role] in text)
