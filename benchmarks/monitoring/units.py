"""How a value is written in one of the units that the dashboards use, and where ticks go."""

import math
from collections.abc import Sequence
from typing import Final

BYTES: Final = ("B", "KiB", "MiB", "GiB", "TiB")
SMALL: Final = (("", 1.0), ("m", 1e-3), ("µ", 1e-6), ("n", 1e-9))


def written(value: float, unit: str) -> str:
    """A value with its unit, as short as Grafana writes it."""
    if not math.isfinite(value):
        return "-"
    match unit:
        case "bytes":
            power = min(int(math.log(max(abs(value), 1), 1024)), len(BYTES) - 1)
            return f"{number(value / 1024**power)} {BYTES[power]}"
        case "percentunit":
            return f"{number(value * 100)} %"
        case "s" | "watt" | "joule":
            symbol = {"s": "s", "watt": "W", "joule": "J"}[unit]
            prefix, scale = next(
                (pair for pair in SMALL if abs(value) >= pair[1]), SMALL[-1] if value else SMALL[0]
            )
            return f"{number(value / scale)} {prefix}{symbol}"
        case _:
            return number(value) + unit.removeprefix("short").removeprefix("suffix:")


def number(value: float) -> str:
    """Three digits or so."""
    if abs(value) >= 10_000:
        return f"{value / 1000:.3g} K"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def ticks(most: float, unit: str) -> Sequence[float]:
    """Round values from 0 up to at least ``most``, four or so."""
    base = 2.0 if unit == "bytes" else 10.0
    most = most or 1.0
    magnitude = base ** math.floor(math.log(most, base))
    factors = (0.25, 0.5, 1.0) if base == 2.0 else (0.1, 0.2, 0.25, 0.5, 1.0, 2.0)
    step = next(
        (f * magnitude for f in factors if most / (f * magnitude) <= 4.5), factors[-1] * magnitude
    )
    return [step * index for index in range(math.ceil(most / step - 1e-9) + 1)]


def decades(least: float, most: float) -> Sequence[float]:
    """Powers of ten from at most ``least`` to at least ``most``."""
    low, high = math.floor(math.log10(least)), math.ceil(math.log10(most))
    return [10.0**power for power in range(low, max(high, low + 1) + 1)]
