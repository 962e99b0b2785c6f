"""Products with a scale for each group of inputs, and what families without sub-norms need."""

import numpy as np
import pytest

from sterna.engine.kernels import Floats, PackedTernary, pack_ternary, unpack_ternary
from sterna.engine.kernels.packing import pack_group_scales
from tests.engine.kernels.programs import BACKENDS, make_program
from tests.engine.kernels.steps import plain_step

NATIVE = BACKENDS[1:]
SHAPES = [(1, 128, 128), (80, 256, 128), (130, 384, 128), (100, 192, 64), (70, 200, 128)]


def grouped(rng: np.random.Generator, rows: int, inputs: int, group: int) -> PackedTernary:
    weights = rng.integers(-1, 2, (rows, inputs), np.int8)
    scales = rng.uniform(0.01, 2, (rows, -(-inputs // group))).astype(np.float16)
    of_rows = rng.uniform(0.5, 2, rows).astype(np.float32)
    halves = pack_group_scales(scales.astype(np.float32))
    return PackedTernary(pack_ternary(weights), of_rows, rows, inputs, halves, group)


def product(backend: str, x: Floats, weight: PackedTernary) -> Floats:
    program = make_program(backend)
    out = program.ternary_matmul(program.quantize(program.input_rows(x), weight.group), weight)
    program.run(plain_step(len(x)))
    return program.read(out)[: len(x)].copy()


@pytest.mark.parametrize("backend", NATIVE)
@pytest.mark.parametrize(("rows", "inputs", "group"), SHAPES)
def test_equals_the_reference(backend: str, rows: int, inputs: int, group: int) -> None:
    """Sums are exact; each of G groups is rounded three times, and added with one rounding more."""
    rng = np.random.default_rng(rows)
    weight = grouped(rng, rows, inputs, group)
    for tokens in (1, 2, 7, 33):
        x = rng.standard_normal((tokens, inputs)).astype(np.float32)
        expected = product("reference", x, weight)
        magnitudes = np.abs(x) @ weight.scale_of_each.T
        bound = 2 * (3 + inputs // group) * 2.0**-24 * magnitudes + 1e-30
        assert (np.abs(product(backend, x, weight) - expected) <= bound).all()


@pytest.mark.parametrize("backend", NATIVE)
def test_a_row_depends_on_itself_alone(backend: str) -> None:
    rng = np.random.default_rng(1)
    weight = grouped(rng, 170, 512, 128)
    x = rng.standard_normal((50, 512)).astype(np.float32)
    together = product(backend, x, weight)
    for row in (0, 1, 17, 49):
        assert np.array_equal(product(backend, x[row : row + 1], weight)[0], together[row])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("sign", [-1, 1])
def test_saturating_groups_do_not_wrap(backend: str, sign: int) -> None:
    """All codes and activations at their largest: 2 * 127 * 256 = 65,024 a group."""
    weights = np.full((80, 512), sign, np.int8)
    halves = pack_group_scales(np.ones((80, 2), np.float32))
    ones = np.ones(80, np.float32)
    weight = PackedTernary(pack_ternary(weights), ones, 80, 512, halves, 256)
    out = product(backend, np.full((3, 512), 127.0, np.float32), weight)
    assert (out == sign * 127.0 * 512).all()


@pytest.mark.parametrize("backend", NATIVE)
@pytest.mark.parametrize(("width", "group"), [(1, None), (100, None), (256, 128), (200, 64)])
def test_rounds_each_group_as_the_reference(backend: str, width: int, group: int | None) -> None:
    rng = np.random.default_rng(width)
    x = (rng.standard_normal((6, width)) * 10.0 ** rng.integers(-3, 4, (6, 1))).astype(np.float32)
    found = []
    for name in (backend, "reference"):
        program = make_program(name)
        out = program.quantize(program.input_rows(x.copy()), group)
        program.run(plain_step(6))
        found.append([part[:6].copy() for part in program.read_quantized(out)])
    for ours, expected in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("backend", NATIVE)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_not_finite_stays_so(backend: str, bad: float) -> None:
    x = np.ones((3, 200), np.float32)
    x[1, 150] = bad
    program = make_program(backend)
    out = program.quantize(program.input_rows(x), 64)
    program.run(plain_step(3))
    _, scales = program.read_quantized(out)
    assert np.isnan(scales[1]).all()
    assert np.isfinite(scales[[0, 2]]).all()


@pytest.mark.parametrize("backend", NATIVE)
def test_silu_gate(backend: str) -> None:
    """Within a step of int8 of the exact product, also where exp would overflow."""
    rng = np.random.default_rng(3)
    gate = np.concatenate([rng.standard_normal(60) * 4, [-1e4, -88, -87, 0, 88, 1e4]])
    up = rng.standard_normal(len(gate))
    x = np.concatenate([gate, up]).astype(np.float32)[None]
    program = make_program(backend)
    out = program.silu_gate_quantize(program.input_rows(x), 4)
    program.run(plain_step(1))
    q, scales = program.read_quantized(out)
    with np.errstate(over="ignore"):
        exact = gate / (1 + np.exp(-gate)) * up
    steps = np.repeat(scales[0], 4)[: len(gate)]
    assert (np.abs(q[0] * steps - exact) <= 0.5001 * steps + 2e-7 * np.abs(exact)).all()


@pytest.mark.parametrize("shape", [(5, 130), (81, 128)])
def test_every_weights_scale(shape: tuple[int, int]) -> None:
    weight = grouped(np.random.default_rng(0), *shape, 64)
    assert weight.scale_of_each.shape == shape
    assert weight.group_scales is not None
    assert weight.scale_of_each[4, 127] == weight.group_scales[0, 1, 4] * weight.row_scales[4]


def test_scales_that_float16_does_not_hold_are_refused() -> None:
    with pytest.raises(ValueError, match="float16"):
        pack_group_scales(np.full((1, 1), 1 / 3, np.float32))


def floats_of(weight: PackedTernary) -> Floats:
    codes = unpack_ternary(weight.codes, weight.out_features, weight.in_features)
    return codes * weight.scale_of_each


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("rows", "inputs", "group"), SHAPES)
def test_embeds_rows_of_a_ternary_table(backend: str, rows: int, inputs: int, group: int) -> None:
    table = grouped(np.random.default_rng(5), rows, inputs, group)
    program = make_program(backend)
    out = program.embed_ternary(table)
    step = plain_step(4)
    step.token_ids[:] = [0, rows - 1, rows // 2, 0]
    program.run(step)
    np.testing.assert_array_equal(program.read(out)[:4], floats_of(table)[step.token_ids])


@pytest.mark.parametrize("backend", NATIVE)
@pytest.mark.parametrize(("rows", "inputs", "group"), SHAPES)
def test_logits_of_a_ternary_head(backend: str, rows: int, inputs: int, group: int) -> None:
    """X is rounded by half a step of 15 bits of its group's largest element, sums are exact."""
    rng = np.random.default_rng(6)
    table = grouped(rng, rows, inputs, group)
    x = rng.standard_normal((9, inputs)).astype(np.float32)
    step = plain_step(9)
    object.__setattr__(step, "logit_rows", np.array([0, 3, 8], np.int32))
    program = make_program(backend)
    normed = program.select_rms_norm(program.input_rows(x), np.ones(inputs, np.float32), 1e-5)
    program.ternary_head(normed, table)
    logits = program.run(step)
    chosen = x[step.logit_rows].astype(np.float64)
    hidden = chosen / np.sqrt((chosen**2).mean(-1, keepdims=True) + 1e-5)
    exact = hidden @ floats_of(table).T.astype(np.float64)
    half_step = np.abs(hidden).max(-1, keepdims=True) / (2 * 16319)
    bound = (half_step + 2.0**-20) * np.abs(floats_of(table)).sum(-1)
    assert logits.shape == exact.shape
    assert (np.abs(logits - exact) <= bound).all()
