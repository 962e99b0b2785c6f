"""How much ``multipleOf`` may ask for: it becomes an automaton that counts remainders.

Its states are as many as the number without the zeros at its end, or, where schemas are merged,
as the least common multiple of several: 10 million would take minutes, and gigabytes.
"""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from math import isfinite, lcm
from typing import Final

MAX_STATES: Final = 100_000  # half a second


def check_multiples(schema: object) -> None:
    """Raise ValueError if all ``multipleOf`` of a JSON schema together ask for too much."""
    sizes = [_size(value) for key, value in members(schema) if key == "multipleOf"]
    if max(sum(sizes), lcm(*sizes)) > MAX_STATES:
        raise ValueError(
            f"its multipleOf values are too large: together they may not exceed {MAX_STATES}"
        )


def check_multiples_in_lark(source: str) -> None:
    """Do the same with every schema in a Lark grammar. Raises ValueError."""
    for found in re.finditer(r"%json\s*", source):
        try:
            schema, _ = json.JSONDecoder().raw_decode(source, found.end())
        except ValueError:
            raise ValueError("%json must be followed by a JSON schema") from None
        check_multiples(schema)


def members(value: object) -> Iterator[tuple[str, object]]:
    """Every name and value of all objects within."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, Mapping):
            yield from item.items()
            pending += item.values()
        elif isinstance(item, list):
            pending += item


def _size(value: object) -> int:
    """The digits of a number without zeros at their end; 1 for what is no number."""
    is_number = isinstance(value, int) or (isinstance(value, float) and isfinite(value))
    if not is_number or isinstance(value, bool):
        return 1
    digits = "".join(map(str, Decimal(str(value)).as_tuple().digits))
    return int(digits.rstrip("0") or 1)
