"""The simulation that chose the default chunk: no clock but its own, so its figures are exact."""

from argparse import Namespace
from pathlib import Path

import pytest

from benchmarks.chunk_size import Simulation, quantile
from sterna.engine import EngineConfig

DEFAULT_CHUNK = EngineConfig(Path("model")).max_chunk_tokens


def simulate(max_chunk_tokens: int, **arguments: int) -> Simulation:
    defaults = {"clients": 16, "prompt_tokens": 64, "output_tokens": 64}
    times = {"step_ms": 28.0, "token_ms": 2.5}
    simulation = Simulation(Namespace(**(defaults | times | arguments)), max_chunk_tokens)
    simulation.run()
    return simulation


def pause_ratio(simulation: Simulation) -> float:
    pauses = simulation.pause_seconds
    return quantile(pauses, 0.99) / quantile(pauses, 0.5)


def test_one_client_is_served_at_the_speed_of_its_steps() -> None:
    simulation = simulate(32, clients=1)
    assert simulation.first_token_seconds == pytest.approx([0.028 + 64 * 0.0025] * 6)
    assert simulation.pause_seconds == pytest.approx([0.028 + 0.0025] * 6 * 63)


def test_the_default_keeps_streams_flowing_beside_new_prompts() -> None:
    simulation = simulate(DEFAULT_CHUNK)
    assert pause_ratio(simulation) < 3
    assert simulation.tokens_per_second > 0.98 * simulate(256).tokens_per_second
    assert pause_ratio(simulate(2 * DEFAULT_CHUNK)) > 3
