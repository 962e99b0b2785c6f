"""The ternary product is exact: every backend gives the same integers, then the same floats."""

import numpy as np
import pytest
import torch

from sterna.engine.kernels import PackedTernary, pack_ternary, reference
from tests.engine.kernels.programs import BACKENDS, make_program
from tests.engine.kernels.steps import plain_step

SHAPES = [(64, 4), (64, 256), (1, 1), (3, 5), (65, 66), (100, 260), (130, 513), (192, 2560)]


def packed(weights: np.ndarray, rng: np.random.Generator) -> PackedTernary:
    scales = rng.uniform(0.5, 2.0, len(weights)).astype(np.float32)
    return PackedTernary(pack_ternary(weights), scales, *weights.shape)


def assert_exact(backend: str, x: np.ndarray, weights: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    weight = packed(weights, rng)
    program = make_program(backend)
    ones = np.ones(x.shape[1], np.float32)
    quantized = program.rms_norm_quantize(program.input_rows(x), ones, 1e-5)
    out = program.ternary_matmul(quantized, weight)
    program.run(plain_step(len(x)))
    q, scales = (a[: len(x)] for a in program.read_quantized(quantized))
    sums = (q.astype(np.int64) @ weights.T.astype(np.int64)).astype(np.float32)
    expected = sums * (scales[:, None] * weight.row_scales)
    np.testing.assert_array_equal(program.read(out)[: len(x)], expected)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("rows", "inputs"), SHAPES)
def test_every_shape_and_token_count(backend: str, rows: int, inputs: int) -> None:
    rng = np.random.default_rng(rows * 1000 + inputs)
    weights = rng.integers(-1, 2, (rows, inputs)).astype(np.int8)
    for tokens in [*range(1, 10), 12, 13, 25]:
        x = rng.standard_normal((tokens, inputs)).astype(np.float32)
        assert_exact(backend, x, weights)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("weight", [-1, 0, 1])
@pytest.mark.parametrize("x", [-1.0, 1.0])
def test_saturating_inputs_do_not_wrap(backend: str, weight: int, x: float) -> None:
    """All activations at +-127: sums of 877,824, beyond any 16-bit accumulator."""
    weights = np.full((64, 6912), weight, np.int8)
    for tokens in (1, 2, 7):
        assert_exact(backend, np.full((tokens, 6912), x, np.float32), weights)


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_hot_weights_pick_one_input(backend: str) -> None:
    weights = np.eye(96, dtype=np.int8)
    weights[::2] *= -1
    x = np.random.default_rng(1).standard_normal((5, 96)).astype(np.float32)
    assert_exact(backend, x, weights)


@pytest.mark.parametrize("backend", BACKENDS)
def test_added_to_a_total_in_place(backend: str) -> None:
    rng = np.random.default_rng(2)
    weight = packed(rng.integers(-1, 2, (70, 40)).astype(np.int8), rng)
    x, total = (rng.standard_normal((9, k)).astype(np.float32) for k in (40, 70))
    program = make_program(backend)
    quantized = program.rms_norm_quantize(program.input_rows(x), np.ones(40, np.float32), 1e-5)
    alone, sums = program.ternary_matmul(quantized, weight), program.input_rows(total.copy())
    program.ternary_matmul_add(quantized, weight, sums)
    program.run(plain_step(9))
    np.testing.assert_array_equal(program.read(sums)[:9], total + program.read(alone)[:9])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("rows", [1, 33, 80, 250])
def test_a_gated_product_is_that_of_two_products(backend: str, rows: int) -> None:
    rng = np.random.default_rng(rows)
    gate, up = (packed(rng.integers(-1, 2, (rows, 70)).astype(np.int8), rng) for _ in range(2))
    x = rng.standard_normal((13, 70)).astype(np.float32)
    program = make_program(backend)
    quantized = program.rms_norm_quantize(program.input_rows(x), np.ones(70, np.float32), 1e-5)
    gated = program.gated_matmul(quantized, gate, up)
    program.run(plain_step(13))
    q, scales = (a[:13] for a in program.read_quantized(quantized))
    g, u = (
        reference.ternary_matmul(torch.from_numpy(q), torch.from_numpy(scales), w).numpy()
        for w in (gate, up)
    )
    np.testing.assert_array_equal(program.read(gated)[:13], np.square(np.maximum(g, 0)) * u)
