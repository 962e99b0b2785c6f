"""The scripted engine on a machine whose energy counters a test sets."""

from pathlib import Path

from sterna.engine import AsyncEngine, EnergyAccounting, EnergyMeter
from sterna.engine.energy.metered_runner import MeteredRunner
from sterna.engine.energy.operations import OperationCosts, OperationCounter
from sterna.engine.energy.rapl import RaplSource
from tests.engine.energy.powercap import FakePowercap
from tests.server.scripted import ScriptedModel, make_engine

PACKAGE = "intel-rapl:0"
COSTS = OperationCosts(linear_per_token=10, head_per_row=20, attention_per_context_token=30)


def make_tree(folder: Path) -> FakePowercap:
    """One package, at zero."""
    tree = FakePowercap(folder)
    tree.add(PACKAGE, "package-0")
    return tree


def make_metered_engine(model: ScriptedModel, tree: FakePowercap) -> AsyncEngine:
    """An engine that is not started. Its counters are read by events, not by the clock."""
    meter, counter = EnergyMeter([RaplSource(tree.root)]), OperationCounter(COSTS)
    energy = EnergyAccounting(meter, counter, period_seconds=3600.0)
    return make_engine(MeteredRunner(model, meter.ledger, counter), energy)
