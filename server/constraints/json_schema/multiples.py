"""How much ``multipleOf`` may ask for: it becomes an automaton that counts remainders.

Its states are as many as the number without the zeros at its end, or, where schemas are merged,
as the least common multiple of several: 10 million would take minutes, and gigabytes. llguidance
computes that multiple in 32 bits, and what is carried is lost.
"""

from collections.abc import Sequence
from decimal import Decimal
from math import lcm
from typing import Final

from sterna.server.constraints.json_schema.members import members
from sterna.server.constraints.json_schema.numbers import is_number
from sterna.server.constraints.json_schema.unsupported import UnsupportedError

MAX_STATES: Final = 100_000  # half a second
MAX_PRODUCT: Final = 2**32 - 1
MERGING: Final = frozenset({"allOf", "anyOf", "oneOf", "$ref"})


def check_multiples(schema: object) -> None:
    """Raise UnsupportedError if all ``multipleOf`` of a JSON schema together ask for too much."""
    found = list(members(schema))
    values = [_decimal(value) for key, value in found if key == "multipleOf" and is_number(value)]
    sizes = [int(str(_digits(value)).rstrip("0") or 1) for value in values]
    if max(sum(sizes), lcm(*sizes)) > MAX_STATES:
        raise UnsupportedError(
            f"its multipleOf values are too large: together they may not exceed {MAX_STATES}"
        )
    if len(values) > 1 and any(key in MERGING for key, _ in found) and _overflows(values):
        raise UnsupportedError("its multipleOf values may meet, and have too many digits for that")


def check_multiple(value: float) -> None:
    """Raise UnsupportedError if one ``multipleOf`` alone can't be kept to."""
    check_multiples({"multipleOf": value})
    if not 0 < abs(value) <= MAX_PRODUCT or _as_read(abs(float(value))) > MAX_PRODUCT:
        raise UnsupportedError(f"multipleOf {value} must be above 0, and have fewer digits")


def _as_read(value: float) -> float:
    """All digits of a number, found as llguidance finds them, rounding included."""
    while value % 1:
        value *= 10
    return value


def _decimal(value: float) -> Decimal:
    return abs(Decimal(str(value)))


def _digits(value: Decimal) -> int:
    return int("".join(map(str, value.as_tuple().digits)))


def _overflows(values: Sequence[Decimal]) -> bool:
    """Whether to merge them, in the places that they have together, exceeds 32 bits."""
    places = min(int(value.as_tuple().exponent) for value in values)
    scaled = [int(value.scaleb(-min(places, 0))) for value in values]
    return lcm(*scaled) * max(scaled) > MAX_PRODUCT
