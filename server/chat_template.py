"""The checkpoint's chat template: messages -> the text of a prompt, in jinja's sandbox.

The template is code from the checkpoint: it may only read its variables, and what it raises is an
answer to the client. Same environment and variables as ``transformers`` gives a template.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import Template, TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine import CheckpointError
from server.errors import InvalidRequestError

Message = Mapping[str, str]  # role, content, perhaps name


class ChatTemplate:
    """A compiled template and the special tokens that it may name."""

    def __init__(self, template: Template, special_tokens: Mapping[str, str]) -> None:
        self._template = template
        self._special_tokens = special_tokens

    @classmethod
    def load(cls, folder: Path, config: Mapping[str, Any]) -> "ChatTemplate | None":
        """The template of a checkpoint, None if it has none.

        folder: where ``chat_template.jinja`` may lie; it wins over ``chat_template`` in config.
        config: content of tokenizer_config.json. Raises CheckpointError.
        """
        path = folder / "chat_template.jinja"
        try:
            source = path.read_text() if path.is_file() else _default_template(config)
            if source is None:
                return None
            template = _environment().from_string(source)
        except (TemplateError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(f"{folder}: chat template cannot be compiled: {error}") from None
        return cls(template, special_tokens(config))

    def render(self, messages: Sequence[Message], *, add_generation_prompt: bool = True) -> str:
        """The prompt, up to where the assistant speaks, or (without) to the end of the last turn.

        Raises InvalidRequestError if the template refuses the messages.
        """
        try:
            return self._template.render(
                messages=messages,
                add_generation_prompt=add_generation_prompt,
                **self._special_tokens,
            )
        except Exception as error:  # whatever a template can raise is about these messages
            message = f"The model's chat template refuses these messages: {error}"
            raise InvalidRequestError(message, param="messages") from error


def special_tokens(config: Mapping[str, Any]) -> dict[str, str]:
    """``bos_token`` and the like, of those that tokenizer_config.json names."""
    found = {name: value for name, value in config.items() if name.endswith("_token")}
    texts = {name: v.get("content") if isinstance(v, dict) else v for name, v in found.items()}
    return {name: text for name, text in texts.items() if isinstance(text, str)}


def _default_template(config: Mapping[str, Any]) -> str | None:
    template = config.get("chat_template")
    if isinstance(template, list):  # the older form: several templates with names
        template = {entry["name"]: entry["template"] for entry in template}.get("default")
    return template


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _strftime_now
    return environment


def _raise_exception(message: str) -> NoReturn:
    raise TemplateError(message)


def _strftime_now(form: str) -> str:
    return datetime.now().astimezone().strftime(form)


def _to_json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)  # jinja's own escapes for HTML
