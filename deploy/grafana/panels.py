"""The pieces of a dashboard: queries, panels, rows, and how they become Grafana's JSON.

A panel's colours go by the name of its series, so a thing has one colour on every dashboard.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final, Literal

Json = dict[str, Any]

DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS: Final = 24
BLUE, CORAL, GREEN, TEAL = "#5794F2", "#E0704F", "#73BF69", "#2CB5A9"
YELLOW, PURPLE, GREY, RED = "#EAB839", "#B877D9", "#8E8E9A", "#F2495C"
COLOURS: Final[Mapping[str, str]] = {  # of series, by the legend
    "output": BLUE, "prompt": CORAL, "computed": GREY, "prompt, cached": GREEN,
    "p50": GREEN, "p90": YELLOW, "p99": CORAL,
    "running": BLUE, "waiting": CORAL,
    "stop": GREEN, "length": BLUE, "abort": YELLOW, "error": RED, "refused": PURPLE,
    "queue": CORAL, "prefill": YELLOW, "decode": BLUE,
    "packed": BLUE, "in FP16": GREY, "output head": PURPLE,
    "pool": GREY, "used": TEAL, "shared": GREEN, "scratch": YELLOW,
    "resident": BLUE, "resident, anonymous": PURPLE, "peak": CORAL, "limit": RED,
    "active": BLUE, "idle": GREY, "per output token": BLUE, "per input or output token": GREEN,
    "ternary": BLUE, "FP16": GREY,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression; the legend may name labels as ``{{label}}``."""

    expr: str
    legend: str

    def json(self, letter: str, *, instant: bool, table: bool) -> Json:
        """A target."""
        return {
            "refId": letter,
            "datasource": DATASOURCE,
            "editorMode": "code",
            "expr": self.expr,
            "legendFormat": self.legend,
            "instant": instant,
            "range": not instant,
            "format": "table" if table else "time_series",
        }


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. unit: Grafana's name. warn, bad: where the colour turns yellow, red."""

    title: str
    description: str
    queries: Sequence[Query]
    unit: str = "short"
    kind: Literal["timeseries", "stat", "bargauge", "table"] = "timeseries"
    width: int = 8
    height: int = 8
    warn: float | None = None
    bad: float | None = None
    most: float | None = None  # upper end of the axis
    stacked: bool = False
    logarithmic: bool = False
    decimals: int | None = None
    text: Literal["auto", "name"] = "auto"  # of a stat: its value, or its legend

    def json(self, panel_id: int, x: int, y: int) -> Json:
        """The panel at a place of the grid."""
        instant = self.kind != "timeseries"
        return {
            "id": panel_id,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": DATASOURCE,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "targets": [
                query.json(letter, instant=instant, table=self.kind == "table")
                for letter, query in zip("ABCDEFGH", self.queries, strict=False)
            ],
            "fieldConfig": {"defaults": self._defaults(), "overrides": list(self._overrides())},
            "options": self._options(),
        } | self._transformations()

    def _defaults(self) -> Json:
        steps: list[Json] = [{"color": GREEN, "value": None}]
        steps += [{"color": YELLOW, "value": self.warn}] if self.warn is not None else []
        steps += [{"color": RED, "value": self.bad}] if self.bad is not None else []
        judged = self.kind == "stat" and len(steps) > 1
        colour: Json = {"mode": "thresholds"} if judged else {"mode": "palette-classic-by-name"}
        if self.kind == "stat" and not judged:
            colour = {"mode": "fixed", "fixedColor": BLUE}
        defaults: Json = {
            "unit": self.unit,
            "min": 0,
            "color": colour,
            "thresholds": {"mode": "absolute", "steps": steps},
        }
        defaults |= {} if self.most is None else {"max": self.most}
        defaults |= {} if self.decimals is None else {"decimals": self.decimals}
        if self.kind == "timeseries":
            defaults["custom"] = self._drawing()
        if self.logarithmic:
            del defaults["min"]
        return defaults

    def _drawing(self) -> Json:
        scale: Json = {"type": "log", "log": 10} if self.logarithmic else {"type": "linear"}
        return {
            "drawStyle": "line",
            "lineInterpolation": "linear",
            "lineWidth": 2,
            "fillOpacity": 40 if self.stacked else 8,
            "showPoints": "never",
            "spanNulls": False,
            "scaleDistribution": scale,
            "stacking": {"mode": "normal" if self.stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "line" if self.bad is not None else "off"},
        }

    def _overrides(self) -> Iterator[Json]:
        for query in self.queries:
            if query.legend in COLOURS:
                colour = {"mode": "fixed", "fixedColor": COLOURS[query.legend]}
                yield {
                    "matcher": {"id": "byName", "options": query.legend},
                    "properties": [{"id": "color", "value": colour}],
                }

    def _options(self) -> Json:
        last: Json = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        match self.kind:
            case "timeseries":
                return {
                    "legend": {
                        "displayMode": "list",
                        "placement": "bottom",
                        "showLegend": True,
                        "calcs": ["lastNotNull"],
                    },
                    "tooltip": {"mode": "multi", "sort": "desc"},
                }
            case "stat":
                return {
                    "reduceOptions": last,
                    "colorMode": "value",
                    "graphMode": "none",
                    "textMode": self.text,
                    "justifyMode": "center",
                    "wideLayout": True,
                }
            case "bargauge":
                return {
                    "reduceOptions": last,
                    "orientation": "horizontal",
                    "displayMode": "gradient",
                    "showUnfilled": True,
                }
            case "table":
                return {"showHeader": True, "cellHeight": "sm"}

    def _transformations(self) -> Json:
        if self.kind != "table":
            return {}
        hidden = dict.fromkeys(("Time", "Value", "__name__", "job"), True)
        return {"transformations": [{"id": "organize", "options": {"excludeByName": hidden}}]}


@dataclass(frozen=True, slots=True)
class Row:
    """A heading and the panels beneath it."""

    title: str
    panels: Sequence[Panel]


def place(rows: Sequence[Row]) -> Iterator[Json]:
    """Give every row and panel its place, from left to right and down."""
    ids, y = count(1), 0
    for row in rows:
        heading = {"x": 0, "y": y, "w": COLUMNS, "h": 1}
        yield {
            "id": next(ids), "type": "row", "title": row.title, "collapsed": False,
            "gridPos": heading, "panels": [],
        }  # fmt: skip
        x, y, height = 0, y + 1, 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y, height = 0, y + height, 0
            yield panel.json(next(ids), x, y)
            x, height = x + panel.width, max(height, panel.height)
        y += height
