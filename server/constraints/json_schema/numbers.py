"""Numbers of a schema, brought within what llguidance keeps to.

It reads integers as int64, then makes a double of every number: 2^53 + 1 becomes 2^53, what is
beyond int64 becomes its limit, and -2^63 ends the process. It reads a fraction with an error of
its last digit, unless digits and exponent are few. So a bound moves inwards, to the next number
that is read as it is written, and a constant that is no such number is refused.
"""

from collections.abc import Iterator, Mapping
from decimal import ROUND_CEILING, Context, Decimal
from math import inf, isfinite, nextafter
from typing import Final, TypeGuard

from sterna.server.constraints.json_schema.unsupported import UnsupportedError

EXACT: Final = 2**53  # integers up to here are doubles, and so are their neighbours
LARGEST: Final = 2**63 - 1024  # the largest double that int64 holds
MAX_LENGTH: Final = 2**31 - 1  # no answer is longer
MIN_EXPONENT: Final = -22  # of ten, that is a double
DIGITS: Final = 15  # of any decimal that is found again in its double

BOUNDS: Final = {"minimum": 1, "exclusiveMinimum": 1, "maximum": -1, "exclusiveMaximum": -1}
LENGTHS: Final = frozenset(
    {"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"}
)


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a finite number of JSON; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and is_finite(value)


def is_finite(value: float) -> bool:
    """Whether a number is finite; an integer of any size is."""
    return isinstance(value, int) or isfinite(value)


def bound(keyword: str, value: float) -> float:
    """Return the nearest bound within ``value`` that is kept to.

    Raises UnsupportedError if there is none.
    """
    sign = BOUNDS[keyword]
    lowest = _at_least(sign * value, is_open=keyword.startswith("exclusive"))
    if lowest > LARGEST:
        raise UnsupportedError(f"{keyword} {value} is beyond what int64 holds: {sign * LARGEST}")
    return sign * lowest


def length(keyword: str, value: float) -> int | None:
    """Return a bound of a length, None if it says nothing.

    Raises UnsupportedError if no answer is that long.
    """
    if value <= MAX_LENGTH:
        return int(value)
    if keyword.startswith("max"):
        return None
    raise UnsupportedError(f"{keyword} {value} is too long: at most {MAX_LENGTH} can be asked for")


def check_literals(keyword: str, value: object) -> None:
    """Raise UnsupportedError unless all numbers of a constant are read as they are written."""
    for number in _numbers(value):
        if not is_finite(number) or abs(number) > LARGEST or not _is_exact(number):
            raise UnsupportedError(
                f"{keyword} has the number {number}, which can't be kept to exactly: make it a "
                f"string, or give it at most {DIGITS} digits, between -2^63 and 2^63"
            )


def _at_least(value: float, *, is_open: bool) -> float:
    """The least exact number from ``value`` on; without it, if ``is_open`` and it is large."""
    if value <= -LARGEST:
        value, is_open = -LARGEST, is_open and value == -LARGEST
    if value > LARGEST:
        return inf
    if value % 1:
        return value if _is_exact(value) else _round_up(value)
    found = float(value)
    if found < value or (is_open and found == value and abs(value) >= EXACT):
        found = nextafter(found, inf)  # llguidance would add 1, and get the same double
    return int(found)


def _round_up(fraction: float) -> float:
    exact = Decimal(fraction)
    digits = max(exact.adjusted() - DIGITS + 1, MIN_EXPONENT)
    return float(exact.quantize(Decimal((0, (1,), digits)), context=Context(60, ROUND_CEILING)))


def _is_exact(number: float) -> bool:
    if isinstance(number, int):
        return float(number) == number
    written = Decimal(repr(number))
    if number % 1 == 0 and written != int(number):  # as 0.3e18 may: zeros that the double has not
        return False
    _, digits, exponent = written.as_tuple()
    return int("".join(map(str, digits))) <= EXACT and int(exponent) >= MIN_EXPONENT


def _numbers(value: object) -> Iterator[float]:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, Mapping):
            pending += item.values()
        elif isinstance(item, list):
            pending += item
        elif isinstance(item, int | float) and not isinstance(item, bool):
            yield item
