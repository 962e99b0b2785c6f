"""Sampling: every backend draws the same token as sorting the whole vocabulary would."""

import numpy as np
import pytest

from engine.kernels import Sampling
from tests.engine.kernels.programs import BACKENDS, make_program

NATIVE = BACKENDS[1:]


def sampling(count: int, **values: float) -> Sampling:
    """``count`` rows with the same filters, each with its own random number."""
    return Sampling(
        temperature=np.full(count, values.get("temperature", 1.0), np.float32),
        top_k=np.full(count, values.get("top_k", 0), np.int32),
        top_p=np.full(count, values.get("top_p", 1.0), np.float32),
        min_p=np.full(count, values.get("min_p", 0.0), np.float32),
        uniform=np.random.default_rng(count).random(count),
    )


FILTERS: list[dict[str, float]] = [
    {"temperature": 0.0},
    {},
    {"temperature": 0.3},
    {"top_k": 1},
    {"top_k": 40, "temperature": 2.0},
    {"top_p": 0.9},
    {"top_p": 0.05},
    {"top_p": 0.999, "temperature": 5.0},
    {"min_p": 0.1},
    {"min_p": 1.0},
    {"min_p": 0.01, "top_k": 20, "top_p": 0.8, "temperature": 0.7},
    {"top_k": 100_000, "top_p": 0.5},
]


@pytest.mark.parametrize("backend", NATIVE)
@pytest.mark.parametrize("filters", FILTERS, ids=str)
@pytest.mark.parametrize("spread", [0.0, 0.1, 4.0], ids=lambda s: f"spread {s}")
def test_draws_what_the_reference_draws(
    backend: str, filters: dict[str, float], spread: float
) -> None:
    rng = np.random.default_rng(7)
    logits = (rng.standard_normal((48, 1000)) * spread).astype(np.float32)
    logits[:, 500:510] = logits[:, :1]  # ties
    rows = sampling(len(logits), **filters)
    tokens, logprobs = make_program(backend).sample(logits, rows)
    expected, expected_logprobs = make_program("reference").sample(logits, rows)
    np.testing.assert_array_equal(tokens, expected)
    np.testing.assert_allclose(logprobs, expected_logprobs, atol=2e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_frequencies_follow_the_distribution(backend: str) -> None:
    """Chi-squared over 4 tokens; a correct sampler exceeds 30 once in a million."""
    probabilities = np.array([0.5, 0.3, 0.15, 0.05])
    logits = np.tile(np.log(probabilities).astype(np.float32), (2000, 1))
    tokens, _ = make_program(backend).sample(logits, sampling(2000))
    counts, expected = np.bincount(tokens, minlength=4), probabilities * 2000
    assert ((counts - expected) ** 2 / expected).sum() < 30


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_row_that_is_not_finite_is_reported(backend: str, bad: float, temperature: float) -> None:
    logits = np.random.default_rng(0).standard_normal((3, 77)).astype(np.float32)
    logits[1, 76] = bad
    tokens, _ = make_program(backend).sample(logits, sampling(3, temperature=temperature))
    assert tokens[1] == -1
    assert (tokens[[0, 2]] >= 0).all()


@pytest.mark.parametrize("backend", NATIVE)
def test_company_changes_no_bit(backend: str) -> None:
    logits = np.random.default_rng(0).standard_normal((9, 5000)).astype(np.float32)
    rows = sampling(9, top_p=0.9)
    tokens, logprobs = make_program(backend).sample(logits, rows)
    for i in range(9):
        alone = Sampling(*(getattr(rows, f)[i : i + 1] for f in Sampling.__dataclass_fields__))
        token, logprob = make_program(backend, threads=1).sample(logits[i : i + 1], alone)
        assert (token[0], logprob[0]) == (tokens[i], logprobs[i])
