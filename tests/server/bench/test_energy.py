from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sterna.engine import AsyncEngine
from sterna.server.bench.energy import EnergyReading, LoadEnergy, energy_between
from sterna.server.bench.http import HttpPlan, measure
from tests.engine.energy.powercap import FakePowercap
from tests.server.bench.peer import Peer
from tests.server.metered import PACKAGE, make_metered_engine, make_tree
from tests.server.scripted import ScriptedModel, babbles
from tests.server.serving import serve


@pytest.fixture
def tree(tmp_path: Path) -> FakePowercap:
    return make_tree(tmp_path)


@pytest.fixture
def model(tree: FakePowercap) -> ScriptedModel:
    """Each token takes two joules."""
    model = ScriptedModel(babbles())
    run, total = model.run, [0]

    def run_and_burn(batch: Any) -> Any:
        sampled = run(batch)
        total[0] += 2_000_000 * len(sampled)
        tree.set(PACKAGE, total[0])
        return sampled

    model.run = run_and_burn  # type: ignore[method-assign]
    return model


@pytest.fixture
def engine(model: ScriptedModel, tree: FakePowercap) -> AsyncEngine:
    return make_metered_engine(model, tree)


async def test_joules_per_token_of_our_server_have_a_source(base_url: str) -> None:
    plan = HttpPlan([base_url], (1, 3), output_tokens=10, requests_per_client=2)
    report = await measure(plan)
    for row in report.results:
        assert row.joules_per_output_token == pytest.approx(2.0)
        assert row.energy_source == "rapl"
    assert report.servers[0].energy.startswith("rapl: measuring: energy counters")


async def test_a_server_that_measures_nothing_has_no_figure() -> None:
    async with serve(Peer().app()) as url:
        report = await measure(HttpPlan([url], (1,), requests_per_client=1))
    (row,) = report.results
    assert (row.joules_per_output_token, row.energy_source) == (None, "unavailable")
    assert report.servers[0].energy == "the server's /metrics could not be read"


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({"rapl": 5.0}, {"rapl": 8.0}, LoadEnergy(3.0, "rapl")),
        ({"rapl": 5.0, "zeusd": 1.0}, {"rapl": 5.0, "zeusd": 3.0}, LoadEnergy(2.0, "zeusd")),
        ({}, {"rapl": 8.0}, LoadEnergy()),  # from when on is not known
        ({"rapl": 5.0, "zeusd": 1.0}, {"rapl": 6.0, "zeusd": 2.0}, LoadEnergy()),  # one took over
        ({"rapl": 5.0}, {}, LoadEnergy()),
    ],
)  # fmt: skip
def test_a_load_has_energy_if_one_source_measured_it_all(
    before: Mapping[str, float], after: Mapping[str, float], found: LoadEnergy
) -> None:
    assert energy_between(EnergyReading(before, ""), EnergyReading(after, "")) == found


def test_turns_add_up_if_they_were_measured_alike() -> None:
    turn = LoadEnergy(2.0, "rapl")
    assert turn + turn == LoadEnergy(4.0, "rapl")
    assert turn + LoadEnergy() == LoadEnergy()
    assert turn + LoadEnergy(1.0, "estimate") == LoadEnergy()
