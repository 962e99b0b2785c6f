"""The Jinja environment of chat templates: they may only read their variables, for a limited time.

Jinja's own sandbox keeps attributes and calls safe. Here rendering is bounded in time and size as
well, and nothing is computed at compile time.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from time import monotonic
from typing import Any, Final

from jinja2 import Template, TemplateError, nodes, pass_context
from jinja2.ext import loopcontrols
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from sterna.server.text import template_functions
from sterna.server.text.template_bounds import (
    check_filter,
    check_format,
    check_method,
    check_operation,
    check_size,
    size_of,
)

MAX_SECONDS: Final = 10.0
_DEADLINE: Final = "the deadline"  # a variable; with its spaces, no template can name it
_LEADING: Final[Mapping[str, Callable[[Context], object]]] = {
    "context": lambda context: context,
    "eval_context": lambda context: context.eval_ctx,
    "environment": lambda context: context.environment,
}


class TemplateSandbox(ImmutableSandboxedEnvironment):
    """Compiles templates whose loops, macros, blocks, filters and tests check the time limit."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[template_functions.GenerationTag, loopcontrols],
            finalize=_check_shown,
        )
        filters = {**self.filters, **template_functions.FILTERS}
        self.filters = {name: _bounded(name, call) for name, call in filters.items()}
        self.filters.update(_CHECKS)
        tests: dict[str, Any] = self.tests
        self.tests = {name: _bounded("", call) for name, call in tests.items()}
        self.globals |= template_functions.GLOBALS
        del self.globals["lipsum"]  # any number of random words

    def compile_bounded(self, tree: nodes.Template) -> Template:
        """Compile what ``parse`` gave, and change it. Raises what jinja does."""
        return self.from_string(_Bounding().visit(tree))

    def concat(self, pieces: Iterable[str]) -> str:
        """Join the output of a macro or a block."""
        return _join_texts(list(pieces))

    def call(self, context: Context, called: Any, /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Call a function or method, after a check of the result's size."""
        owner = getattr(called, "__self__", None)
        if isinstance(owner, str | bytes | int):
            check_method(called.__name__, owner, args, kwargs)
        return super().call(context, called, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401
        """Apply an operator, after the same check."""
        check_operation(operator, left, right)
        return super().call_binop(context, operator, left, right)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:  # noqa: ANN401
        """Wrap ``format`` and ``format_map`` with the same check."""
        call = super().wrap_str_format(value)
        if call is None:
            return None

        @wraps(call)
        def bounded(*args: Any, **kwargs: Any) -> str:  # noqa: ANN401
            check_format(value.__self__, *args, **kwargs)
            return call(*args, **kwargs)

        return bounded


def render(template: Template, **variables: object) -> str:
    """The text of a template of ``compile_bounded``. Raises whatever a template can raise."""
    pieces, num_chars = [], 0
    for piece in template.generate({**variables, _DEADLINE: monotonic() + MAX_SECONDS}):
        num_chars += len(piece)
        check_size(num_chars)
        pieces.append(piece)
    return _whole("".join(pieces))


class _Bounding(NodeTransformer):
    """Adds checks of the time limit to what repeats, and of the size to what joins."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        if node.test is not None:  # which may reject items for a long time
            node.test = nodes.And(_tick(node), node.test, lineno=node.lineno)
        return self._ticking(node)

    def _ticking(self, node: nodes.For | nodes.Macro | nodes.CallBlock | nodes.Block) -> nodes.Node:
        self.generic_visit(node)
        node.body.insert(0, nodes.ExprStmt(_tick(node), lineno=node.lineno))
        return node

    visit_Macro = visit_CallBlock = visit_Block = _ticking

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _check("join texts", nodes.List(node.nodes, lineno=node.lineno))

    def visit_Add(self, node: nodes.Add) -> nodes.Node:
        """Check sums, except with a constant, which is part of the template."""
        self.generic_visit(node)
        if isinstance(node.left, nodes.Const) or isinstance(node.right, nodes.Const):
            return node
        return _check("check size", node)


def _tick(node: nodes.Node) -> nodes.Filter:
    return _check("check time", nodes.ContextReference(lineno=node.lineno))


def _check(name: str, of: nodes.Expr) -> nodes.Filter:
    """Apply a filter of ours. A filter cannot be rebound, and costs less than a checked call."""
    return nodes.Filter(of, name, [], [], None, None, lineno=of.lineno)


def _bounded(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """Bound a filter or test. Because it needs the context, Jinja cannot run it at compile time."""
    passed = getattr(call, "jinja_pass_arg", None)  # its argument before the value
    leading = _LEADING[passed.name] if passed else None

    @pass_context
    def bounded(context: Context, value: Any, /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        _check_time(context)
        check_filter(name, value, args, kwargs)
        if leading is None:
            return call(value, *args, **kwargs)
        return call(leading(context), value, *args, **kwargs)

    return bounded


def _check_time(context: Context) -> bool:
    if monotonic() > context.parent[_DEADLINE]:
        raise TemplateError(f"rendering takes more than {MAX_SECONDS:g} seconds")
    return True


def _whole(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise TemplateError("the result has a lone surrogate, which is half a character") from None
    return text


def _check_shown(value: object) -> object:
    if not isinstance(value, str):
        check_size(size_of(value))
    return value


def _check_sum(value: object) -> object:
    if isinstance(value, str | list | tuple):
        check_size(len(value))
    return value


def _join_texts(values: Sequence[object]) -> str:
    check_size(sum(map(size_of, values)))
    return "".join(map(str, values))


_CHECKS: Final[Mapping[str, Callable[..., Any]]] = {
    "check time": _check_time,
    "check size": _check_sum,
    "join texts": _join_texts,
}
