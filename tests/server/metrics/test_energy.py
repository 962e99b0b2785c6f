"""What a scrape says of energy: from a fake powercap tree through the real engine's thread."""

import asyncio
from pathlib import Path

import httpx
import pytest

from sterna.engine import AsyncEngine
from sterna.server.http.dependencies import Services
from tests.engine.energy.powercap import FakePowercap
from tests.server.metered import PACKAGE, make_metered_engine, make_tree
from tests.server.scraped import value
from tests.server.scripted import ScriptedModel, make_app, make_settings
from tests.server.waiting import until

LABELS = {"domain": "package", "source": "rapl"}
BODY = {"model": "scripted", "prompt": "Once"}


@pytest.fixture
def tree(tmp_path: Path) -> FakePowercap:
    return make_tree(tmp_path)


@pytest.fixture
def engine(model: ScriptedModel, tree: FakePowercap) -> AsyncEngine:
    return make_metered_engine(model, tree)


def sources(services: Services) -> dict[str, str]:
    """What is said of each source."""
    return {
        sample.labels["source"]: f"{sample.labels['status']}: {sample.labels['detail']}"
        for family in services.metrics.registry.collect()
        for sample in family.samples
        if sample.name == "sterna:energy_source_info"
    }


async def test_joules_are_shown_once_they_are_measured(
    client: httpx.AsyncClient, services: Services, tree: FakePowercap
) -> None:
    assert value(services, "sterna:energy_joules_total", **LABELS) is None
    assert sources(services)["rapl"].startswith("waiting: ")
    tree.set(PACKAGE, 2_500_000)
    services.model.engine.energy.meter.sample()
    assert value(services, "sterna:energy_joules_total", **LABELS) == 2.5
    assert value(services, "sterna:energy_idle_joules_total", **LABELS) == 2.5
    assert (value(services, "sterna:power_watts", **LABELS) or 0) > 0
    assert sources(services)["rapl"].startswith("measuring: ")


async def test_work_begins_with_a_reading(
    client: httpx.AsyncClient, services: Services, tree: FakePowercap, model: ScriptedModel
) -> None:
    """What the machine took before is idle, what it takes from there on is not."""
    model.is_open = False
    tree.set(PACKAGE, 1_000_000)
    answer = asyncio.create_task(client.post("/v1/completions", json=BODY))
    await until(lambda: value(services, "sterna:energy_joules_total", **LABELS) == 1.0)
    tree.set(PACKAGE, 4_000_000)
    model.allow(1000)
    await answer
    services.model.engine.energy.meter.sample()
    assert value(services, "sterna:energy_joules_total", **LABELS) == 4.0
    idle = value(services, "sterna:energy_idle_joules_total", **LABELS)
    assert idle is not None
    assert idle < 4.0


async def test_without_counters_there_is_no_series_but_a_reason(
    client: httpx.AsyncClient, services: Services, tree: FakePowercap
) -> None:
    tree.remove(PACKAGE)
    services.model.engine.energy.meter.sample()
    text = (await client.get("/metrics")).text
    assert "energy_joules" not in text
    assert "power_watts" not in text
    assert sources(services)["rapl"].startswith("unavailable: ")


async def test_modelled_joules_have_a_name_of_their_own(
    client: httpx.AsyncClient, services: Services
) -> None:
    """17 tokens, 13 rows of logits; contexts of 1 to 17."""
    await client.post("/v1/completions", json=BODY)
    name = "sterna:modelled_arithmetic_joules_total"
    pj = {
        ("ternary", "linear"): 17 * 10 * 0.007,
        ("ternary", "head"): 13 * 20 * 0.077,
        ("ternary", "attention"): sum(range(18)) * 30 * 0.5,
        ("fp16", "linear"): 17 * 10 * 0.5,
        ("fp16", "head"): 13 * 20 * 0.5,
        ("fp16", "attention"): sum(range(18)) * 30 * 0.5,
    }
    for (precision, part), expected in pj.items():
        joules = value(services, name, precision=precision, part=part)
        assert joules == pytest.approx(expected * 1e-12), (precision, part)


async def test_settings_choose_the_node_and_the_type_of_the_head(
    client: httpx.AsyncClient, engine: AsyncEngine, folder: Path
) -> None:
    await client.post("/v1/completions", json=BODY)
    settings = make_settings(folder, energy_node="45nm", head="bf16")
    services: Services = make_app(folder, settings, engine).state.services
    for part, expected in {"linear": 17 * 10 * 0.03, "head": 13 * 20 * (0.4 + 1.1)}.items():
        labels = {"precision": "ternary", "part": part}
        joules = value(services, "sterna:modelled_arithmetic_joules_total", **labels)
        assert joules == pytest.approx(expected * 1e-12), part
