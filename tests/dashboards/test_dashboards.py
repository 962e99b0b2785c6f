"""Every panel has data when a real Prometheus has scraped a real server under load."""

import json
import math
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.monitoring.watched import ALERTS, Watched
from deploy.grafana.generate import FOLDER, texts

DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
PANELS = [
    pytest.param(panel, id=f"{name}: {panel['title']}")
    for name, dashboard in DASHBOARDS.items()
    for panel in dashboard["panels"]
    if panel["type"] != "row"
]
NAME = re.compile(r"\b(?:vllm|sterna):\w+")
OPTIONAL = {"limit"}  # a series that a machine may lack: no control group limits its memory


def names_in(text: str) -> set[str]:
    return set(NAME.findall(text))


@pytest.mark.parametrize("name", texts())
def test_the_files_are_what_the_script_makes(name: str) -> None:
    assert (FOLDER / name).read_text() == texts()[name], "python -m deploy.grafana.generate"


def test_there_are_no_other_files() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(texts())


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_tile_the_grid(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARDS[name]["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in DASHBOARDS[name]["panels"]]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_explains_itself(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert len(panel["description"]) > 10
    assert all("model_name" in t["expr"] or "instance" in t["expr"] for t in panel["targets"])


def test_energy_says_where_it_comes_from() -> None:
    """No joule without its source beside it, and none that is modelled among measured ones."""
    for panel in DASHBOARDS["energy"]["panels"]:
        names = names_in(str([target["expr"] for target in panel.get("targets", ())]))
        modelled = "sterna:modelled_arithmetic_joules_total" in names
        measured = names & {
            "sterna:energy_joules_total",
            "sterna:power_watts",
            "sterna:energy_idle_joules_total",
        }
        assert not (modelled and measured)
        assert not measured or "$source" in panel["title"]
        assert not modelled or panel["title"].startswith("Modelled")


@pytest.mark.dashboards
@pytest.mark.parametrize("panel", PANELS)
def test_every_query_of_a_panel_returns_data(panel: dict[str, Any], seen: Watched) -> None:
    for target in panel["targets"]:
        series = seen.query_range(target["expr"])
        if target["legendFormat"] in OPTIONAL:
            continue
        values = [float(value) for one in series for _, value in one["values"]]
        assert any(map(math.isfinite, values)), target["expr"]


@pytest.mark.dashboards
def test_every_variable_has_values(seen: Watched) -> None:
    for dashboard in DASHBOARDS.values():
        for variable in dashboard["templating"]["list"]:
            if found := re.fullmatch(
                r"label_values\((.+), (\w+)\)",
                variable["query"]["query"] if variable["type"] == "query" else "",
            ):
                result = seen.query(found[1])
                assert {series["metric"][found[2]] for series in result}, variable["name"]


@pytest.mark.dashboards
def test_every_metric_that_is_named_exists(seen: Watched) -> None:
    """In dashboards, alerts and the page; the server's own text says so, not a query's luck."""
    text = httpx.get(f"{seen.url}/metrics", timeout=60).text
    served = {
        sample.name for family in text_string_to_metric_families(text) for sample in family.samples
    }
    histograms = {name.removesuffix("_bucket") for name in served if name.endswith("_bucket")}
    page = Path("server/page/cards.js").read_text()
    for source in (*texts().values(), ALERTS.read_text(), page):
        assert names_in(source) - histograms <= served


@pytest.mark.dashboards
def test_the_load_shows_what_it_is_meant_to(seen: Watched) -> None:
    """A panel of zeros would prove little: sequences wait, are refused, are put back, are left."""
    for expr in (
        "max_over_time(vllm:num_requests_waiting[10m])",
        "sum(sterna:rejections_total)",
        "sum(vllm:num_preemptions_total)",
        'sum(vllm:request_success_total{finished_reason="abort"})',
        "sum(vllm:prefix_cache_hits_total)",
        'max_over_time(sterna:memory_bytes{kind="kv_shared"}[10m])',
    ):
        assert float(seen.query(expr)[0]["value"][1]) > 0, expr
