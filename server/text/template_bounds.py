"""Bounds on the size of what a template computes, checked before it is computed.

Sizes are in characters, and may be overestimated. How many results a template keeps at the same
time is not limited.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from jinja2 import TemplateError

MAX_CHARS: Final = 32 << 20  # of a prompt, and of any intermediate text
ITEM_CHARS: Final = 32  # of a value that is not text; a high estimate keeps counting short
MAX_NUMBER_BITS: Final = 4096
MAX_DIGITS: Final = 1000  # to which a number is rounded

_PRINTF_SPEC: Final = re.compile(r"%([^a-zA-Z%]*)")
_FORMAT_SPEC: Final = re.compile(r":([^{}]*)")
_NESTED_FIELD: Final = re.compile(r"\{[^{}]*:[^{}]*\{")
_NUMBER: Final = re.compile(r"\d+")

Estimate = Callable[..., int]


def check_size(num_chars: int) -> None:
    """Raise TemplateError if a text would be too large."""
    if num_chars > MAX_CHARS:
        raise TemplateError(f"the result has more than {MAX_CHARS} characters")


def size_of(value: object) -> int:
    """Estimate the length of a value as text, up to the limit. Shared items count each time."""
    if isinstance(value, str):
        return len(value)
    size, rest = 0, [value]
    while rest and size <= MAX_CHARS:
        item = rest.pop()
        size += len(item) if isinstance(item, str | bytes) else ITEM_CHARS
        if isinstance(item, Mapping):
            rest += [*item.keys(), *item.values()]
        elif isinstance(item, list | tuple):
            rest += item
    return size


def check_operation(operator: str, left: Any, right: Any) -> None:  # noqa: ANN401
    """Raise TemplateError if ``left operator right`` would be too large."""
    match operator:
        case "**":
            _check_bits(_whole(left).bit_length() * _whole(right))
        case "*" if isinstance(left, int) and isinstance(right, int):
            _check_bits(left.bit_length() + right.bit_length())
        case "*":
            check_size(max(_length(left) * _whole(right), _length(right) * _whole(left)))
        case "%" if isinstance(left, str):
            check_size(_printf(left, right))


def check_filter(name: str, value: object, args: Any, kwargs: Mapping[str, Any]) -> None:  # noqa: ANN401
    """Raise TemplateError if ``value | name(...)`` would be too large."""
    if estimate := _FILTERS.get(name):
        check_size(estimate(value, *args, **kwargs))


def check_method(name: str, owner: object, args: Any, kwargs: Mapping[str, Any]) -> None:  # noqa: ANN401
    """Raise TemplateError if ``owner.name(...)`` would be too large."""
    if estimate := _METHODS.get(name):
        check_size(estimate(owner, *args, **kwargs))


def check_format(pattern: str, /, *args: object, **kwargs: object) -> None:
    """Raise TemplateError if ``pattern.format(...)`` would be too large."""
    values = [*args, *kwargs.values()]
    size = _formatted(pattern, _FORMAT_SPEC, "{", values)
    if _NESTED_FIELD.search(pattern):  # a value may be a width
        size += sum(_whole(item) for value in values for item in _items(value))
    check_size(size)


def _check_bits(num_bits: float) -> None:
    if num_bits > MAX_NUMBER_BITS:
        raise TemplateError(f"the result has more than {MAX_NUMBER_BITS} bits")


def _formatted(pattern: str, spec: re.Pattern[str], mark: str, values: object) -> int:
    widths = _NUMBER.findall("".join(spec.findall(pattern)))
    if any(len(width) > len(str(MAX_CHARS)) for width in widths):
        return MAX_CHARS + 1
    return len(pattern) + sum(map(int, widths)) + pattern.count(mark) * size_of(values)


def _printf(pattern: object, /, *args: object, **kwargs: object) -> int:
    text, values = str(pattern), [*args, *kwargs.values()]
    size = _formatted(text, _PRINTF_SPEC, "%", values)
    if "*" in text:  # a value may be a width
        size += sum(_whole(item) for value in values for item in _items(value))
    return size


def _as_text(value: object, *_: object, **__: object) -> int:
    return size_of(value)


def _filled(_: object, /, *args: object, **kwargs: object) -> int:
    return sum(map(_whole, [*args, *kwargs.values()]))


def _padded(text: object, /, *args: object, **kwargs: object) -> int:
    return _length(text) + _filled(text, *args, **kwargs)


def _on_each_line(text: object, /, *args: object, **kwargs: object) -> int:
    given = [*args, *kwargs.values()]
    width = sum(map(_whole, given)) + sum(map(_length, given))
    return _length(text) + (1 + str(text).count("\n")) * width


def _on_each_part(value: object, /, *args: object, **kwargs: object) -> int:
    given = [*args, *kwargs.values()]
    return size_of(value) * (1 + sum(map(_whole, given)) + sum(map(size_of, given)))


def _replaced(text: object, old: object = "", new: object = "", *_: object, **__: object) -> int:
    return _length(text) + str(text).count(str(old)) * _length(new)


def _joined(items: object, d: object = "", *_: object, **__: object) -> int:
    return size_of(items) + _length(d) * _length(items)


def _joining(separator: object, items: object = ()) -> int:
    return _joined(items, separator)


def _rounded(_: object, precision: object = 0, *__: object, **___: object) -> int:
    return MAX_CHARS + 1 if abs(_whole(precision)) > MAX_DIGITS else 0


_FILTERS: Final[Mapping[str, Estimate]] = {
    "batch": _filled, "center": _padded, "format": _printf, "indent": _on_each_line,
    "join": _joined, "pprint": _as_text, "replace": _replaced, "round": _rounded,
    "slice": _filled, "string": _as_text, "sum": _as_text, "tojson": _on_each_part,
    "urlize": _as_text, "wordwrap": _on_each_part, "xmlattr": _as_text,
}  # fmt: skip
_METHODS: Final[Mapping[str, Estimate]] = {
    "center": _padded, "expandtabs": _on_each_part, "join": _joining, "ljust": _padded,
    "replace": _replaced, "rjust": _padded, "to_bytes": _filled, "translate": _on_each_part,
    "zfill": _padded,
}  # fmt: skip


def _items(value: object) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple) else [value]


def _length(value: object) -> int:
    return len(value) if isinstance(value, str | bytes | list | tuple | Mapping) else 0


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0
