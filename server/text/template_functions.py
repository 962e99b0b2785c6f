"""Functions, filters and tags that chat templates may use beside Jinja's own.

They are those of ``transformers``, so that a template renders the same in both.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NoReturn

from jinja2 import TemplateError
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension
from jinja2.nodes import CallBlock
from jinja2.parser import Parser
from jinja2.runtime import Macro
from jinja2.utils import Namespace


class GenerationTag(Extension):
    """``{% generation %}`` marks the assistant's text for training; here it has no effect."""

    tags = {"generation"}  # noqa: RUF012 (jinja's own declaration)

    def parse(self, parser: Parser) -> CallBlock:
        """Parse up to the end tag. The block has its own scope."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        call = self.call_method("_text_of")
        return CallBlock(call, [], [], body, lineno=line)

    def _text_of(self, caller: Macro) -> str:
        return caller()


class TemplateDict:
    """``dict``, without attributes that a template could abuse."""

    def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:  # noqa: ANN401
        """Make a dict."""
        return dict(*args, **kwargs)

    def fromkeys(self, *args: Any) -> dict[Any, Any]:  # noqa: ANN401
        """Make a dict whose values are all the same."""
        return dict.fromkeys(*args)


class TemplateNamespace(Namespace):
    """``namespace``, without attributes that begin with an underscore."""

    def __init__(self, /, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (a name may be self)
        values = dict(*args, **kwargs)
        for name in values:
            _check_name(name)
        Namespace.__init__(self, values)

    def __setitem__(self, name: str, value: Any) -> None:  # noqa: ANN401
        """Set an attribute."""
        _check_name(name)
        super().__setitem__(name, value)


def to_json(
    value: object,
    ensure_ascii: bool = False,
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Return JSON; unlike Jinja's own filter, do not escape it for HTML."""
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def raise_exception(message: str) -> NoReturn:
    """Reject the messages."""
    raise TemplateError(message)


def strftime_now(form: str) -> str:
    """Return the local time."""
    return datetime.now().strftime(form)  # as transformers has it, without a zone


FILTERS: Final[Mapping[str, Any]] = {"tojson": to_json}
GLOBALS: Final[Mapping[str, Any]] = {
    "raise_exception": raise_exception,
    "strftime_now": strftime_now,
    "dict": TemplateDict(),
    "namespace": TemplateNamespace,
}


def _check_name(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"namespace attribute {name!r} must not begin with an underscore")
