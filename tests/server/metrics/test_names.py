"""``docs/metrics.md`` and a live server name the same families, and promtool reads them."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from sterna.engine import AsyncEngine
from tests.engine.energy.powercap import FakePowercap
from tests.server.metered import PACKAGE, make_metered_engine, make_tree
from tests.server.scripted import ScriptedModel

DOCUMENT = (Path(__file__).parents[3] / "docs/metrics.md").read_text()
OUR_KIND = re.compile(r"`((?:sterna|vllm|http)\w*:?\w+)(?:\{[^`]*)?`")
INHERITED = ("metric names should not contain ':'", "vllm:iteration_tokens_total")
"""What promtool may object to: it comes with vLLM's names."""


@pytest.fixture
def tree(tmp_path: Path) -> FakePowercap:
    return make_tree(tmp_path)


@pytest.fixture
def engine(model: ScriptedModel, tree: FakePowercap) -> AsyncEngine:
    return make_metered_engine(model, tree)


def rows(status: str) -> set[str]:
    """Names of the list's rows that say so, which may name several."""
    cells = re.findall(rf"^\| ([^|]+) \| {status} \|", DOCUMENT, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([\w:]+)`", cell)}


@pytest.fixture
async def text(client: httpx.AsyncClient, tree: FakePowercap, engine: AsyncEngine) -> str:
    """All metrics of a server that has answered a request, and has measured energy."""
    tree.set(PACKAGE, 1_000_000)
    body = {"model": "scripted", "prompt": "Once"}
    assert (await client.post("/v1/completions", json=body)).status_code == 200
    engine.energy.meter.sample()
    return (await client.get("/metrics")).text


def names(text: str) -> Iterator[str]:
    """Names of families as a query has them: counters with their ending, and infos."""
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            yield line.split()[2]


def test_every_name_on_the_list_is_there_or_is_not(text: str) -> None:
    found = set(names(text))
    assert len(rows("true value")) > 30
    assert len(rows("absent, because")) > 50
    assert rows("true value") <= found
    assert not rows("absent, because") & found


def test_every_family_is_documented(text: str) -> None:
    documented = set(OUR_KIND.findall(DOCUMENT))
    ours = {name for name in names(text) if not name.startswith("process_")}
    assert ours <= documented


def test_every_family_of_vllm_has_its_labels_and_a_sample(text: str) -> None:
    for family in text_string_to_metric_families(text):
        if family.name.startswith("vllm:"):
            assert family.samples, family.name
            for sample in family.samples:
                assert sample.labels["engine"] == "0", sample
                assert "model_name" in sample.labels or family.name == "vllm:cache_config_info"


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool comes with Debian's prometheus")
def test_promtool_objects_to_nothing_but_what_comes_with_the_names(text: str) -> None:
    command = ["promtool", "check", "metrics"]
    checked = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    said = [line for line in (checked.stdout + checked.stderr).splitlines() if line]
    assert [line for line in said if not any(known in line for known in INHERITED)] == []
