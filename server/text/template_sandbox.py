"""Jinja as a checkpoint's template gets it: it reads its variables, for a while, and that is all.

The same filters, functions and variables as in ``transformers``. Beyond jinja's own sandbox, which
keeps attributes and calls safe, rendering is bounded in time and in size.
"""

import json
from datetime import datetime
from time import monotonic
from typing import Any, NoReturn

from jinja2 import Template, TemplateError, nodes
from jinja2.ext import loopcontrols
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_SECONDS = 10.0
MAX_CHARS = 32 << 20  # of a prompt, and of a text that is repeated
MAX_POWER_BITS = 4096
_TICK = "check_time_limit"


class TemplateSandbox(ImmutableSandboxedEnvironment):
    """Compiles templates whose every loop and macro looks at the clock."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
        self.filters["tojson"] = _to_json
        self.globals["raise_exception"] = _raise_exception
        self.globals["strftime_now"] = _strftime_now

    def compile_bounded(self, tree: nodes.Template) -> Template:
        """Compile what ``parse`` gave, and change it. Raises what jinja does."""
        parts: list[nodes.For | nodes.Macro] = [*tree.find_all(nodes.For)]
        parts += tree.find_all(nodes.Macro)
        for part in parts:
            call = nodes.Call(nodes.Name(_TICK, "load"), [], [], None, None)
            part.body.insert(0, nodes.ExprStmt(call, lineno=part.lineno))
            call.set_lineno(part.lineno)
        return self.from_string(tree)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401
        """Do not let one operation make what no loop could."""
        if operator == "**" and _whole(left).bit_length() * _whole(right) > MAX_POWER_BITS:
            raise TemplateError("the result of ** is too large")
        length = max(_length(left) * _whole(right), _length(right) * _whole(left))
        if operator == "*" and length > MAX_CHARS:
            raise TemplateError("the result of * is too long")
        if operator == "%" and isinstance(left, str):
            raise TemplateError("% is not supported on strings; use format")
        return super().call_binop(context, operator, left, right)


def render(template: Template, **variables: object) -> str:
    """The text of a template of ``compile_bounded``. Raises whatever a template can raise."""
    deadline = monotonic() + MAX_SECONDS

    def check_time_limit() -> None:
        if monotonic() > deadline:
            raise TemplateError(f"rendering takes more than {MAX_SECONDS:g} seconds")

    pieces, num_chars = [], 0
    for piece in template.generate(**variables, **{_TICK: check_time_limit}):
        num_chars += len(piece)
        if num_chars > MAX_CHARS:
            raise TemplateError(f"the prompt has more than {MAX_CHARS} characters")
        pieces.append(piece)
    return "".join(pieces)


def _length(value: object) -> int:
    return len(value) if isinstance(value, str | list | tuple) else 0


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _raise_exception(message: str) -> NoReturn:
    raise TemplateError(message)


def _strftime_now(form: str) -> str:
    return datetime.now().astimezone().strftime(form)


def _to_json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)  # jinja's own escapes for HTML
