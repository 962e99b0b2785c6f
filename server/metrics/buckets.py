"""Histogram buckets, the same as vLLM's, so that dashboards and thresholds fit."""

from itertools import count
from typing import Final

FIRST_TOKEN_SECONDS: Final = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40,
    80, 160, 640, 2560,
)  # fmt: skip
INTER_TOKEN_SECONDS: Final = (
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
)  # fmt: skip
REQUEST_SECONDS: Final = (
    0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680,
)  # fmt: skip
CHOICES: Final = (1, 2, 5, 10, 20)


def one_two_five(limit: int) -> tuple[int, ...]:
    """Return 1, 2, 5, 10, 20, 50 ... up to the limit."""
    bounds: list[int] = []
    for power in count():
        for digit in (1, 2, 5):
            if digit * 10**power > limit:
                return tuple(bounds)
            bounds.append(digit * 10**power)
    raise AssertionError("count does not end")
