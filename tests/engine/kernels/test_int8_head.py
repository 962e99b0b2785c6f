"""The int8 head: the most likely token, and its logit, are those of the plain head."""

import numpy as np
import pytest

from sterna.engine.kernels import Floats, Sampling, Table, narrow, pack_int8_table, widen
from tests.engine.kernels.programs import BACKENDS, make_program
from tests.engine.kernels.steps import plain_step

SHAPES = [(1, 1), (70, 33), (200, 256), (1000, 130)]


def logits(backend: str, x: Floats, table: Table, *, int8: bool) -> Floats:
    """The logits of every row of x, normed with a weight of 1."""
    program = make_program(backend)
    width = table.shape[1]
    normed = program.select_rms_norm(program.input_rows(x), np.ones(width, np.float32), 1e-5)
    if int8:
        program.int8_head(normed, pack_int8_table(table), table)
    else:
        program.head(normed, table)
    return program.run(plain_step(len(x))).copy()


def outliers(rng: np.random.Generator, rows: int, width: int) -> Floats:
    """Hidden states with a few large elements, as real ones have."""
    x = rng.standard_normal((rows, width)).astype(np.float32)
    x[:, rng.integers(0, width, 3)] *= 30
    return x


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
@pytest.mark.parametrize(("vocabulary", "width"), SHAPES)
def test_the_best_token_is_the_plain_heads(
    backend: str, dtype: str, vocabulary: int, width: int
) -> None:
    """Also among rows that differ by less than int8 can tell."""
    rng = np.random.default_rng(vocabulary)
    rows_of_two = rng.standard_normal((vocabulary, width)).astype(np.float32)
    rows_of_two[vocabulary // 2 :] = rows_of_two[: vocabulary - vocabulary // 2] * 1.01
    table = narrow(rows_of_two) if dtype == "bfloat16" else rows_of_two
    for rows in (1, 2, 3, 4, 9):
        x = outliers(rng, rows, width)
        ours, plain = (logits(backend, x, table, int8=int8) for int8 in (True, False))
        np.testing.assert_array_equal(ours.argmax(-1), plain.argmax(-1))
        np.testing.assert_array_equal(ours.max(-1), plain.max(-1))


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_logit_is_within_its_bound(backend: str) -> None:
    rng = np.random.default_rng(0)
    table = narrow(rng.standard_normal((300, 200)).astype(np.float32))
    x, packed = outliers(rng, 7, 200), pack_int8_table(table)
    hidden = x / np.sqrt((x.astype(np.float64) ** 2).mean(-1, keepdims=True) + 1e-5)
    norms = np.linalg.norm(hidden, axis=-1, keepdims=True)
    step = np.abs(hidden).max(-1, keepdims=True) / (127 * 128 + 63)
    bounds = packed.residual_norms * norms
    bounds = bounds + packed.norms * (step / 2 * np.sqrt(200) + norms * 2.0**-15)
    exact = hidden @ widen(table).astype(np.float64).T
    errors = np.abs(logits(backend, x, table, int8=True) - exact)
    assert (errors <= bounds).all()
    assert errors.max() > bounds.max() / 100, "a bound that says nothing"


@pytest.mark.parametrize("backend", BACKENDS[1:])
def test_equals_the_reference(backend: str) -> None:
    """The integer sums are exact; what is left is the rounding of a few float products."""
    rng = np.random.default_rng(1)
    table = rng.standard_normal((130, 512)).astype(np.float32)
    x = outliers(rng, 5, 512)
    ours, reference = (logits(b, x, table, int8=True) for b in (backend, "reference"))
    np.testing.assert_allclose(ours, reference, atol=2e-5 * np.abs(reference).max())


@pytest.mark.parametrize("backend", BACKENDS[1:])
@pytest.mark.parametrize("sign", [-1, 1])
def test_saturating_weights_do_not_wrap(backend: str, sign: int) -> None:
    """All digits at their largest, all weights at +-127: 255 * 127 * 6912 = 224 million."""
    table = np.full((64, 6912), sign, np.float32)
    x = np.ones((2, 6912), np.float32)
    ours, plain = (logits(backend, x, table, int8=int8) for int8 in (True, False))
    np.testing.assert_array_equal(ours, plain)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_row_that_is_not_finite_is_reported(backend: str) -> None:
    rng = np.random.default_rng(2)
    table = rng.standard_normal((90, 40)).astype(np.float32)
    x = rng.standard_normal((3, 40)).astype(np.float32)
    x[1, 3] = np.nan
    program = make_program(backend)
    zeros, ones = np.zeros(3, np.float32), np.ones(3, np.float32)
    greedy = Sampling(zeros, np.zeros(3, np.int32), ones, zeros, np.zeros(3))
    tokens, _ = program.sample(logits(backend, x, table, int8=True), greedy)
    assert tokens[1] == -1
    assert (tokens[[0, 2]] >= 0).all()
