"""Lines over time in plain SVG: one panel of kind ``timeseries``."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from benchmarks.monitoring.units import decades, ticks, written

INK, QUIET, GRID = "#1f2933", "#66727f", "#e6eaee"


@dataclass(frozen=True, slots=True)
class Series:
    """A named line. values: one for each time, NaN where there is none."""

    name: str
    colour: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Plot:
    """The place of the lines on the page, in pixels, and how they are drawn."""

    x: float
    y: float
    width: float
    height: float
    unit: str
    seconds: float  # from the first value to the last
    stacked: bool = False
    logarithmic: bool = False
    bound: float | None = None  # a line for "bad"

    def svg(self, series: Sequence[Series]) -> list[str]:
        """Axes, lines, legend."""
        tops = self._tops(series)
        finite = [v for top in tops for v in top if math.isfinite(v) and (v > 0 or v == 0)]
        most = max(finite, default=1.0)
        if self.logarithmic:
            marks = decades(min((v for v in finite if v > 0), default=most), most)
        else:
            marks = ticks(most, self.unit)
        low, high = marks[0], marks[-1]
        drawn = [*self._axes(marks, low, high)]
        if self.bound is not None and low < self.bound <= high:
            y = self._y(self.bound, low, high)
            drawn.append(
                line(self.x, y, self.x + self.width, y, "#F2495C", 'stroke-dasharray="6 4"')
            )
        bottoms = [[0.0] * len(top) for top in tops[:1]] + tops[:-1] if self.stacked else None
        for index, (one, top) in enumerate(zip(series, tops, strict=True)):
            bottom = bottoms[index] if bottoms else None
            if any(one.values) or not self.stacked:  # nothing would hide the line beneath
                drawn += self._line(one.colour, top, bottom, low, high)
        return [*drawn, *self._legend(series)]

    def _tops(self, series: Sequence[Series]) -> list[list[float]]:
        tops: list[list[float]] = []
        for one in series:
            values = list(one.values)
            if self.stacked:
                values = [0.0 if math.isnan(value) else value for value in values]
                below = tops[-1] if tops else [0.0] * len(values)
                values = [value + under for value, under in zip(values, below, strict=True)]
            tops.append(values)
        return tops

    def _y(self, value: float, low: float, high: float) -> float:
        if self.logarithmic:
            part = math.log(max(value, low) / low) / math.log(high / low)
        else:
            part = (value - low) / (high - low)
        return self.y + self.height * (1 - part)

    def _axes(self, marks: Sequence[float], low: float, high: float) -> list[str]:
        drawn = []
        for mark in marks:
            y = self._y(mark, low, high)
            drawn.append(line(self.x, y, self.x + self.width, y, GRID))
            drawn.append(text(self.x - 6, y + 4, written(mark, self.unit), anchor="end"))
        for part in (0.0, 0.25, 0.5, 0.75, 1.0):
            seconds = round(self.seconds * part)
            x, label = self.x + self.width * part, f"{seconds // 60}:{seconds % 60:02d}"
            drawn.append(text(x, self.y + self.height + 16, label, anchor="middle"))
        return drawn

    def _line(
        self, colour: str, top: Sequence[float], bottom: Sequence[float] | None, low: float,
        high: float,
    ) -> list[str]:  # fmt: skip
        step = self.width / max(len(top) - 1, 1)
        drawn, run = [], list[int]()
        for index in range(len(top) + 1):
            if index < len(top) and math.isfinite(top[index]):
                run.append(index)
                continue
            if run:
                over = [f"{self.x + i * step:.1f} {self._y(top[i], low, high):.1f}" for i in run]
                floor = self.y + self.height
                under = [
                    f"{self.x + i * step:.1f} "
                    f"{self._y(bottom[i], low, high) if bottom else floor:.1f}"
                    for i in (reversed(run) if bottom else (run[-1], run[0]))
                ]
                opacity = 0.45 if bottom else 0.08
                area = "M" + "L".join(over + under) + "Z"
                drawn.append(f'<path d="{area}" fill="{colour}" fill-opacity="{opacity}"/>')
                path = "M" + "L".join(over)
                drawn.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
            run = []
        return drawn

    def _legend(self, series: Sequence[Series]) -> list[str]:
        drawn, x, y = [], self.x - 40, self.y + self.height + 38
        for one in series:
            shown = next((v for v in reversed(one.values) if math.isfinite(v)), math.nan)
            label = f"{one.name}  {written(shown, self.unit)}"
            width = 26 + 6.4 * len(label)
            if x + width > self.x + self.width + 8 and x > self.x - 40:
                x, y = self.x - 40, y + 17
            drawn.append(rect(x, y - 8, 14, 4, one.colour))
            drawn.append(text(x + 20, y, label, colour=INK))
            x += width
        return drawn


def text(
    x: float, y: float, content: str, *, size: int = 12, colour: str = QUIET,
    anchor: str = "start", bold: bool = False,
) -> str:  # fmt: skip
    """A line of text."""
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" '
        f'text-anchor="{anchor}"{weight}>{escape(content, quote=False)}</text>'
    )


def line(x1: float, y1: float, x2: float, y2: float, colour: str, more: str = "") -> str:
    """A straight line."""
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{colour}" {more}/>'


def rect(x: float, y: float, width: float, height: float, colour: str, more: str = "") -> str:
    """A filled rectangle with rounded corners."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'rx="2" fill="{colour}" {more}/>'
    )
