"""``docs/metrics.md`` and a live server name the same families, and promtool reads them."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

DOCUMENT = (Path(__file__).parents[3] / "docs/metrics.md").read_text()
OUR_KIND = re.compile(r"`((?:sterna|vllm|http)\w*:?\w+)(?:\{[^`]*)?`")
INHERITED = ("metric names should not contain ':'", "vllm:iteration_tokens_total")
"""What promtool may object to: it comes with vLLM's names."""


def rows(status: str) -> set[str]:
    """Names of the list's rows that say so."""
    return set(re.findall(rf"^\| `([\w:]+)` \| {status} \|", DOCUMENT, re.MULTILINE))


async def scrape(client: httpx.AsyncClient) -> str:
    """All metrics of a server that has answered a request."""
    body = {"model": "scripted", "prompt": "Once"}
    assert (await client.post("/v1/completions", json=body)).status_code == 200
    return (await client.get("/metrics")).text


def names(text: str) -> Iterator[str]:
    """Names of families as a query has them: counters with their ending, and infos."""
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            yield line.split()[2]


async def test_every_name_on_the_list_is_there_or_is_not(client: httpx.AsyncClient) -> None:
    found = set(names(await scrape(client)))
    assert len(rows("true value")) > 30
    assert rows("true value") <= found
    assert not rows("absent, because") & found


async def test_every_family_is_documented(client: httpx.AsyncClient) -> None:
    documented = set(OUR_KIND.findall(DOCUMENT))
    ours = {name for name in names(await scrape(client)) if not name.startswith("process_")}
    assert ours <= documented


async def test_every_family_of_vllm_has_its_labels_and_a_sample(client: httpx.AsyncClient) -> None:
    for family in text_string_to_metric_families(await scrape(client)):
        if family.name.startswith("vllm:"):
            assert family.samples, family.name
            for sample in family.samples:
                assert sample.labels["engine"] == "0", sample
                assert "model_name" in sample.labels or family.name == "vllm:cache_config_info"


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool comes with Debian's prometheus")
async def test_promtool_objects_to_nothing_but_what_comes_with_the_names(
    client: httpx.AsyncClient,
) -> None:
    text = await scrape(client)
    command = ["promtool", "check", "metrics"]
    checked = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    said = [line for line in (checked.stdout + checked.stderr).splitlines() if line]
    assert [line for line in said if not any(known in line for known in INHERITED)] == []
