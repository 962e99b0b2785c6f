"""Norms and quantisation: the same int8 values and scales on every backend."""

import numpy as np
import pytest

from sterna.engine.kernels import Table, narrow, widen
from tests.engine.kernels.programs import BACKENDS, make_program
from tests.engine.kernels.steps import plain_step

WIDTHS = [1, 2, 15, 16, 17, 100, 256, 2560]
NATIVE = BACKENDS[1:]


def quantized(backend: str, x: np.ndarray, weight: np.ndarray) -> list[np.ndarray]:
    program = make_program(backend)
    out = program.rms_norm_quantize(program.input_rows(x), weight, 1e-5)
    program.run(plain_step(len(x)))
    return [a[: len(x)].copy() for a in program.read_quantized(out)]


@pytest.mark.parametrize("backend", NATIVE)
@pytest.mark.parametrize("width", WIDTHS)
def test_equals_the_reference_to_the_last_bit(backend: str, width: int) -> None:
    rng = np.random.default_rng(width)
    x = (rng.standard_normal((8, width)) * 10.0 ** rng.integers(-3, 4, (8, 1))).astype(np.float32)
    weight = rng.uniform(0.5, 1.5, width).astype(np.float32)
    for ours, expected in zip(
        quantized(backend, x, weight), quantized("reference", x, weight), strict=True
    ):
        np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_rounds_half_to_even(backend: str) -> None:
    """The largest magnitude becomes 127, so 0.5 / 127 of it lies half-way and rounds to 0."""
    x = np.array([[127.0, 0.5, 1.5, 2.5, -0.5, -1.5]], np.float32)
    x /= np.float32(np.sqrt(np.mean(x.astype(np.float64) ** 2)))
    q, _ = quantized(backend, x, np.ones(6, np.float32))
    assert abs(q[0, 0]) == 127
    assert set(np.abs(q[0, 1:])) <= {0, 1, 2, 3}


@pytest.mark.parametrize("backend", BACKENDS)
def test_zeros_stay_zero(backend: str) -> None:
    q, scales = quantized(backend, np.zeros((2, 40), np.float32), np.ones(40, np.float32))
    assert not q.any()
    np.testing.assert_array_equal(scales, np.float32(1e-5) / np.float32(127))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_not_finite_is_not_made_finite(backend: str, bad: float) -> None:
    """Its scale is NaN, so that the request's logits are; the other rows do not change."""
    x = np.ones((3, 40), np.float32)
    x[1, 7] = bad
    _, scales = quantized(backend, x, np.ones(40, np.float32))
    assert np.isnan(scales[1])
    assert np.isfinite(scales[[0, 2]]).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_embeds_by_token_id(backend: str, dtype: str) -> None:
    floats = np.random.default_rng(0).standard_normal((11, 37)).astype(np.float32)
    table: Table = narrow(floats) if dtype == "bfloat16" else floats
    program = make_program(backend)
    out = program.embed(table)
    step = plain_step(5)
    step.token_ids[:] = [3, 0, 10, 3, 9]
    program.run(step)
    np.testing.assert_array_equal(program.read(out)[:5], widen(table[step.token_ids]))


@pytest.mark.parametrize("backend", NATIVE)
def test_a_token_id_outside_the_table_is_refused(backend: str) -> None:
    program = make_program(backend)
    program.embed(np.zeros((11, 8), np.float32))
    step = plain_step(1)
    step.token_ids[:] = 11
    with pytest.raises(ValueError, match="token id out of range"):
        program.run(step)
