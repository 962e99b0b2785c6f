"""Jinja as a checkpoint's template gets it: it reads its variables, for a while, and that is all.

Beyond jinja's own sandbox, which keeps attributes and calls safe, rendering is bounded in time and
in size. Nothing is computed before: a template that is only compiled does no work.
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
_DEADLINE: Final = "the deadline"  # among the variables; no name of a template's has a space
_LEADING: Final[Mapping[str, Callable[[Context], object]]] = {
    "context": lambda context: context,
    "eval_context": lambda context: context.eval_ctx,
    "environment": lambda context: context.environment,
}


class TemplateSandbox(ImmutableSandboxedEnvironment):
    """Compiles templates of which every loop, macro, block and filter looks at the clock."""

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
        del self.globals["lipsum"]  # as many words as are asked for, at random

    def compile_bounded(self, tree: nodes.Template) -> Template:
        """Compile what ``parse`` gave, and change it. Raises what jinja does."""
        return self.from_string(_Bounding().visit(tree))

    def concat(self, pieces: Iterable[str]) -> str:
        """Join what a macro or a block has written."""
        return _join_texts(list(pieces))

    def call(self, context: Context, called: Any, /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Call a function or a method, but not one that makes what no loop could."""
        owner = getattr(called, "__self__", None)
        if isinstance(owner, str | bytes | int):
            check_method(called.__name__, owner, args, kwargs)
        return super().call(context, called, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401
        """The same of operators."""
        check_operation(operator, left, right)
        return super().call_binop(context, operator, left, right)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:  # noqa: ANN401
        """The same of ``format`` and ``format_map``."""
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
    """Lets what repeats look at the clock, and what joins look at the size."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        if node.test is not None:  # which may be asked long before there is an item
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
        """A sum with a constant grows by no more than the template is long."""
        self.generic_visit(node)
        if isinstance(node.left, nodes.Const) or isinstance(node.right, nodes.Const):
            return node
        return _check("look at the size", node)


def _tick(node: nodes.Node) -> nodes.Filter:
    return _check("look at the clock", nodes.ContextReference(lineno=node.lineno))


def _check(name: str, of: nodes.Expr) -> nodes.Filter:
    """A filter of ours: its name is none that a template could give to something else."""
    return nodes.Filter(of, name, [], [], None, None, lineno=of.lineno)


def _bounded(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """Bound a filter or a test. Since it wants the context, jinja can't compute it beforehand."""
    passed = getattr(call, "jinja_pass_arg", None)  # what it wants before its value
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
        raise TemplateError(f"it takes more than {MAX_SECONDS:g} seconds")
    return True


def _whole(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise TemplateError("it makes a lone surrogate, which is half a character") from None
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
    "look at the clock": _check_time,
    "look at the size": _check_sum,
    "join texts": _join_texts,
}
