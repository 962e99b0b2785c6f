import numpy as np
import pytest

from sterna.engine.execution.random_numbers import build_sampling, uniform
from sterna.engine.requests.request import Request, SamplingParams


def test_uniform_is_a_fixed_function_of_seed_and_index() -> None:
    """Must never change, or seeded replies would."""
    assert uniform(0, 0) == 0.6524484863740322
    numbers = [uniform(42, index) for index in range(3)]
    assert numbers == [0.34329192209867343, 0.9557467261317436, 0.48634953628166855]


def test_uniform_takes_any_integer_seed() -> None:
    for seed in (-1, 2**64 - 1, 2**70, 0):
        assert 0 <= uniform(seed, 0) < 1
    assert uniform(-1, 0) == uniform(2**64 - 1, 0)


@pytest.mark.parametrize("along", ["index", "seed"])
def test_uniform_fills_its_range_evenly(along: str) -> None:
    """100 bins of 10,000 numbers: chi-square (99 degrees) stays below 160, 1 in 9,000 by chance."""
    numbers = [uniform(1, i) if along == "index" else uniform(i, 1) for i in range(10_000)]
    counts = np.histogram(numbers, bins=100, range=(0, 1))[0]
    assert float(np.sum((counts - 100) ** 2) / 100) < 160


def test_near_seeds_are_unrelated() -> None:
    pairs = [(uniform(seed, 0), uniform(seed + 1, 0)) for seed in range(10_000)]
    assert abs(np.corrcoef(np.array(pairs).T)[0, 1]) < 0.04  # 4 standard deviations


def test_arrays_of_a_batch() -> None:
    greedy = Request("a", [1], SamplingParams(max_tokens=9, temperature=0.0), seed=7)
    params = SamplingParams(max_tokens=9, temperature=0.5, top_p=0.9, top_k=40, min_p=0.25)
    sampled = Request("b", [1, 2], params, seed=8)
    sampled.append(3)
    sampling = build_sampling([greedy, sampled])
    assert sampling.temperature.tolist() == [0.0, 0.5]
    assert sampling.top_p.tolist() == [1.0, np.float32(0.9)]
    assert sampling.top_k.tolist() == [0, 40]
    assert sampling.min_p.tolist() == [0.0, 0.25]
    assert sampling.uniform.tolist() == [0.0, uniform(8, 1)]  # the greedy one draws nothing
    assert sampling.uniform.dtype == np.float64
    assert sampling.top_k.dtype == np.int32
    assert sampling.temperature.dtype == np.float32
