"""Sampling: every backend draws the same token as sorting the whole vocabulary would."""

import numpy as np
import pytest

from sterna.engine.kernels import BANNED, Sampling
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


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("uniform", [0.0, 0.5, 1 - 2**-53])
@pytest.mark.parametrize(
    "filters", [*FILTERS, {"temperature": 1e30}, {"temperature": 1e30, "top_k": 500}], ids=str
)
def test_banned_token_is_never_drawn(
    backend: str, filters: dict[str, float], uniform: float
) -> None:
    logits = np.random.default_rng(3).standard_normal((8, 1000)).astype(np.float32) * 4
    banned = np.ones(logits.shape, np.bool_)
    for i, row in enumerate(banned):
        row[100 * i + 1 : 100 * i + 3 * i + 2] = False  # 1, 4, 7, ... tokens are left
    logits[banned] = BANNED
    rows = sampling(len(logits), **filters)
    rows.uniform[:] = uniform
    tokens, logprobs = make_program(backend).sample(logits, rows)
    assert not banned[np.arange(len(tokens)), tokens].any()
    assert np.isfinite(logprobs).all()
    expected, _ = make_program("reference").sample(logits, rows)
    np.testing.assert_array_equal(tokens, expected)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_row_that_bans_everything_gives_no_token(backend: str, temperature: float) -> None:
    logits = np.full((2, 77), BANNED, np.float32)
    logits[0, 5] = 1.0
    tokens, _ = make_program(backend).sample(logits, sampling(2, temperature=temperature))
    assert tokens.tolist() == [5, -1]


@pytest.mark.parametrize("backend", NATIVE)
@pytest.mark.parametrize("num_top", [0, 1, 5, 20])
@pytest.mark.parametrize("vocab_size", [3, 500, 1000])
@pytest.mark.parametrize("spread", [0.0, 4.0], ids=lambda s: f"spread {s}")
def test_logprobs_are_those_of_the_reference(
    backend: str, num_top: int, vocab_size: int, spread: float
) -> None:
    rng = np.random.default_rng(7)
    logits = (rng.standard_normal((9, vocab_size)) * spread).astype(np.float32)
    logits[:, 1:3] = logits[:, :1]  # ties
    logits[4, 2] = np.nan
    token_ids = rng.integers(0, vocab_size, 9).astype(np.int32)
    found = make_program(backend).logprobs(logits, token_ids, num_top)
    expected = make_program("reference").logprobs(logits, token_ids, num_top)
    assert found.top_token_ids.shape == (9, num_top)
    np.testing.assert_array_equal(found.top_token_ids, expected.top_token_ids)
    np.testing.assert_allclose(found.of_tokens, expected.of_tokens, atol=2e-6)
    np.testing.assert_allclose(found.top_logprobs, expected.top_logprobs, atol=2e-6)
    assert np.isnan(found.of_tokens).tolist() == [i == 4 for i in range(9)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_logprob_of_the_token_drawn_is_the_same_by_either_way(backend: str) -> None:
    """To the last bit; the likeliest token's is also first among the likeliest."""
    logits = np.random.default_rng(0).standard_normal((9, 5000)).astype(np.float32)
    program = make_program(backend)
    for temperature in (0.0, 1.0):
        tokens, logprobs = program.sample(logits, sampling(9, temperature=temperature))
        found = program.logprobs(logits, tokens, 2)
        assert found.of_tokens.tolist() == logprobs.tolist()
        if temperature == 0:
            assert found.top_token_ids[:, 0].tolist() == tokens.tolist()
            assert found.top_logprobs[:, 0].tolist() == logprobs.tolist()


@pytest.mark.parametrize("backend", NATIVE)
def test_logprobs_of_a_token_that_does_not_exist_are_refused(backend: str) -> None:
    with pytest.raises(ValueError, match="token id"):
        make_program(backend).logprobs(np.zeros((1, 7), np.float32), np.array([7], np.int32), 0)
