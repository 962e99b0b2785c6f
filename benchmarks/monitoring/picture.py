"""A dashboard's JSON and a Prometheus in, a picture out: every panel at its place in the grid.

Our own drawing of the panels' data, units, colours and thresholds; not Grafana's.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from benchmarks.monitoring.plot import INK, QUIET, Plot, Series, rect, text
from benchmarks.monitoring.units import written
from benchmarks.monitoring.watched import Watched

COLUMN, UNIT, GAP = 58.0, 30.0, 8.0  # pixels of a grid cell, and between panels
PALETTE = ("#5794F2", "#E0704F", "#73BF69", "#EAB839", "#B877D9", "#8E8E9A")
NUM_POINTS = 120


@dataclass(frozen=True, slots=True)
class Picture:
    """Draws what was seen from ``start`` to ``end``, in Unix seconds."""

    seen: Watched
    start: float
    end: float
    made_up: str  # the folder of the made-up counters, to be told as such

    def svg(self, dashboard: dict[str, Any], note: str) -> str:
        """The whole dashboard, with a note beneath."""
        panels = dashboard["panels"]
        height = max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in panels) * UNIT + 90
        width = 24 * COLUMN + 2 * GAP
        drawn = [text(GAP + 8, 34, dashboard["title"], size=20, colour=INK, bold=True)]
        for panel in panels:
            drawn += self._row(panel) if panel["type"] == "row" else self._panel(panel)
        drawn.append(text(GAP + 8, height - 14, note, size=13))
        body = "\n".join(drawn)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
            'font-family="Inter, Helvetica, Arial, DejaVu Sans, sans-serif">\n'
            f'<rect width="{width:.0f}" height="{height:.0f}" fill="#f4f5f8"/>\n{body}\n</svg>\n'
        )

    def _row(self, panel: dict[str, Any]) -> list[str]:
        title = self.seen.fill_in(panel["title"])
        y = 50 + panel["gridPos"]["y"] * UNIT
        return [text(GAP + 8, y + 21, title, size=15, colour=INK, bold=True)]

    def _panel(self, panel: dict[str, Any]) -> list[str]:
        place = panel["gridPos"]
        x, y = GAP + place["x"] * COLUMN, 50 + place["y"] * UNIT
        width, height = place["w"] * COLUMN - GAP, place["h"] * UNIT - GAP
        frame = 'stroke="#dfe3e8"'
        drawn = [rect(x, y, width, height, "#ffffff", frame)]
        title = self.seen.fill_in(panel["title"])
        drawn.append(text(x + 12, y + 21, title, size=13, colour=INK, bold=True))
        draw = {
            "timeseries": self._lines, "stat": self._stat, "bargauge": self._bars,
            "table": self._table,
        }[panel["type"]]  # fmt: skip
        return drawn + draw(panel, x, y, width, height)

    def _lines(
        self, panel: dict[str, Any], x: float, y: float, width: float, height: float
    ) -> list[str]:
        defaults = panel["fieldConfig"]["defaults"]
        drawing = defaults["custom"]
        bad = [
            step["value"] for step in defaults["thresholds"]["steps"] if step["color"] == "#F2495C"
        ]
        series = self._series(panel)
        legend = 18 * (1 + sum(12 + len(one.name) for one in series) * 6.6 // width)
        plot = Plot(
            x + 66, y + 36, width - 84, height - 68 - legend, defaults["unit"],
            self.end - self.start,
            stacked=drawing["stacking"]["mode"] == "normal",
            logarithmic=drawing["scaleDistribution"]["type"] == "log",
            bound=bad[0] if bad else None,
        )  # fmt: skip
        return plot.svg(series)

    def _series(self, panel: dict[str, Any]) -> list[Series]:
        step = (self.end - self.start) / (NUM_POINTS - 1)
        fixed, spare, found = _colours(panel), cycle(PALETTE), []
        for target in panel["targets"]:
            expr = self.seen.fill_in(target["expr"])
            for result in self.seen.prometheus.query_range(expr, self.start, self.end, step):
                name = _legend(target["legendFormat"], result["metric"])
                values = [math.nan] * NUM_POINTS
                for at, value in result["values"]:
                    values[min(round((at - self.start) / step), NUM_POINTS - 1)] = float(value)
                found.append(Series(name, fixed.get(name) or next(spare), values))
        return found

    def _now(self, target: dict[str, Any]) -> list[dict[str, Any]]:
        return self.seen.prometheus.query(self.seen.fill_in(target["expr"]), self.end)

    def _stat(
        self, panel: dict[str, Any], x: float, y: float, width: float, height: float
    ) -> list[str]:
        (target,) = panel["targets"]
        defaults = panel["fieldConfig"]["defaults"]
        shown, size, colour = "no data", 34, defaults["color"].get("fixedColor", "#73BF69")
        for result in self._now(target)[:1]:
            value = float(result["value"][1])
            shown = written(value, defaults["unit"])
            if panel["options"]["textMode"] == "name":
                shown, size = _legend(target["legendFormat"], result["metric"]), 17
            elif defaults["color"]["mode"] == "thresholds":
                steps = defaults["thresholds"]["steps"]
                colour = [s["color"] for s in steps if s["value"] is None or value >= s["value"]][
                    -1
                ]
        middle = y + height / 2 + size / 2
        return [
            text(x + width / 2, middle, shown, size=size, colour=colour, anchor="middle", bold=True)
        ]

    def _bars(
        self, panel: dict[str, Any], x: float, y: float, width: float, height: float
    ) -> list[str]:
        unit, fixed, drawn = panel["fieldConfig"]["defaults"]["unit"], _colours(panel), []
        values = {
            _legend(target["legendFormat"], result["metric"]): float(result["value"][1])
            for target in panel["targets"]
            for result in self._now(target)
        }
        row = (height - 44) / max(len(values), 1)
        for index, (name, value) in enumerate(values.items()):
            top, full = y + 36 + index * row, width - 290
            long = full * value / max(values.values())
            drawn.append(text(x + 14, top + row / 2 + 4, name, size=14, colour=INK))
            drawn.append(rect(x + 150, top, full, row - 8, "#eef1f4"))
            drawn.append(rect(x + 150, top, long, row - 8, fixed.get(name, PALETTE[0])))
            drawn.append(text(x + 160 + full, top + row / 2 + 4, written(value, unit), size=14,
                              colour=INK, bold=True))  # fmt: skip
        return drawn

    def _table(
        self, panel: dict[str, Any], x: float, y: float, width: float, height: float
    ) -> list[str]:
        rows = [result["metric"] for target in panel["targets"] for result in self._now(target)]
        names = sorted({name for row in rows for name in row} - {"__name__", "job"})
        lengths = [max(len(n), *(len(row.get(n, "")) for row in rows)) + 4 for n in names]
        drawn, left = [], x + 14
        for name, length in zip(names, lengths, strict=True):
            drawn.append(text(left, y + 48, name, size=13, bold=True))
            for index, row in enumerate(rows):
                shown = row.get(name, "").replace(self.made_up, "a made-up folder")
                drawn.append(text(left, y + 72 + 22 * index, shown, size=13, colour=INK))
            left += (width - 28) * length / sum(lengths)
        return drawn if rows else [text(x + 14, y + 48, "no data", colour=QUIET)]


def _legend(form: str, labels: dict[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), form)


def _colours(panel: dict[str, Any]) -> dict[str, str]:
    overrides: Sequence[dict[str, Any]] = panel["fieldConfig"]["overrides"]
    return {
        one["matcher"]["options"]: one["properties"][0]["value"]["fixedColor"] for one in overrides
    }
