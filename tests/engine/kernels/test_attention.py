"""Paged attention: equal to the reference within rounding, and to itself to the last bit."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sterna.engine.kernels import AttentionShape, KVDtype, Step
from sterna.engine.kernels.reference_program import ReferenceProgram
from sterna.engine.model.families.rotary import rotary_tables
from tests.engine.kernels.programs import BACKENDS, make_program
from tests.engine.kernels.steps import request_step

NATIVE = BACKENDS[1:]
SHAPES = [(4, 1, 16), (4, 4, 8), (6, 3, 20), (20, 5, 128), (9, 1, 34)]  # heads, KV heads, head size
NUM_BLOCKS = 12
NUM_POSITIONS = 160

# Both sides round keys and values alike, but where the rotation's own rounding (2^-24) tips a
# value to the next step of the cache's type: that moves a score, a dot product of size ~1, by up
# to a step over sqrt(D), and an output, an average of values of magnitude <= 5, in proportion.
TOLERANCES: dict[KVDtype, float] = {
    "float32": 5 * 2.0**-18,
    "float16": 5 * 2.0**-10,
    "int8": 5 * 2.0**-7,
}


def attention_shape(
    heads: int, kv_heads: int, head_size: int, kv_dtype: KVDtype = "float16"
) -> AttentionShape:
    cos, sin = rotary_tables(head_size, 10_000.0, NUM_POSITIONS)
    return AttentionShape(1, heads, kv_heads, head_size, NUM_BLOCKS, cos, sin, kv_dtype)


class AttentionUnderTest:
    """A program of rotation and attention alone, fed with chosen queries, keys and values."""

    def __init__(self, backend: str, shape: AttentionShape) -> None:
        self.program = make_program(backend, shape)
        self._qkv = self.program.input_rows(np.zeros((64, shape.qkv_size), np.float32))
        self.program.rotate_and_store(self._qkv, 0)
        self._out = self.program.attention(self._qkv, 0)

    def run(self, qkv: np.ndarray, step: Step) -> np.ndarray:
        if isinstance(self.program, ReferenceProgram):
            self.program._rows[self._qkv.index] = torch.from_numpy(qkv.copy())
        else:
            self.program.read(self._qkv)[: len(qkv)] = qkv
        self.program.run(step)
        return self.program.read(self._out)[: len(qkv)].copy()


@pytest.mark.parametrize("backend", NATIVE)
@pytest.mark.parametrize(("heads", "kv_heads", "head_size"), SHAPES)
@pytest.mark.parametrize("kv_dtype", TOLERANCES)
def test_equals_the_reference(
    backend: str, heads: int, kv_heads: int, head_size: int, kv_dtype: KVDtype
) -> None:
    """A batch of a first chunk, a later chunk and two decodes, in scattered blocks."""
    shape = attention_shape(heads, kv_heads, head_size, kv_dtype)
    rng = np.random.default_rng(head_size)
    ours, reference = (AttentionUnderTest(b, shape) for b in (backend, "reference"))
    batches = [
        [(0, 20, [7, 2]), (0, 3, [5]), (0, 17, [0, 9])],
        [(20, 13, [7, 2, 11]), (3, 1, [5]), (17, 1, [0, 9]), (0, 5, [8])],
    ]
    for batch in batches:
        step = request_step(batch)
        qkv = rng.standard_normal((len(step.positions), shape.qkv_size)).astype(np.float32)
        np.testing.assert_allclose(
            ours.run(qkv, step), reference.run(qkv, step), atol=TOLERANCES[kv_dtype]
        )


@pytest.mark.parametrize("backend", NATIVE)
@pytest.mark.parametrize(("heads", "kv_heads", "head_size"), SHAPES)
@pytest.mark.parametrize("kv_dtype", TOLERANCES)
def test_chunking_and_company_change_no_bit(
    backend: str, heads: int, kv_heads: int, head_size: int, kv_dtype: KVDtype
) -> None:
    shape = attention_shape(heads, kv_heads, head_size, kv_dtype)
    rng = np.random.default_rng(head_size)
    qkv = rng.standard_normal((40, shape.qkv_size)).astype(np.float32)
    alone = AttentionUnderTest(backend, shape).run(qkv, request_step([(0, 40, [0, 1, 2])]))

    other = AttentionUnderTest(backend, shape)
    noise = rng.standard_normal((64, shape.qkv_size)).astype(np.float32) * 100
    other.run(noise, request_step([(0, 64, [3, 4, 5, 6])]))  # leaves its values in the blocks
    parts, start = [], 0
    for count in (1, 15, 2, 1, 14, 7):
        batch = [(0, 5, [9]), (start, count, [5, 3, 6])]
        rows = np.concatenate([noise[:5], qkv[start : start + count]])
        parts.append(other.run(rows, request_step(batch))[5:])
        start += count
    np.testing.assert_array_equal(np.concatenate(parts), alone)


@pytest.mark.parametrize("backend", NATIVE)
@pytest.mark.parametrize(("heads", "kv_heads", "head_size"), SHAPES)
@pytest.mark.parametrize("kv_dtype", TOLERANCES)
def test_many_that_decode_equal_each_alone(
    backend: str, heads: int, kv_heads: int, head_size: int, kv_dtype: KVDtype
) -> None:
    """With so many tiles, one is of several KV heads; alone, each head has its own."""
    shape = replace(attention_shape(heads, kv_heads, head_size, kv_dtype), num_blocks=48)
    lengths = [5, 16, 17, 63, 64, 65, 150, 129, 3, 33]  # tokens in the cache: several spans
    ends = np.cumsum([length // 16 + 1 for length in lengths]).tolist()
    tables = [list(range(a, b)) for a, b in zip([0, *ends], ends, strict=False)]
    rng = np.random.default_rng(head_size)
    ours, reference = (AttentionUnderTest(b, shape) for b in (backend, "reference"))
    for length, table in zip(lengths, tables, strict=True):
        for start in range(0, length, 64):
            step = request_step([(start, min(64, length - start), table)])
            qkv = rng.standard_normal((len(step.positions), shape.qkv_size)).astype(np.float32)
            ours.run(qkv, step)
            reference.run(qkv, step)
    requests = [(length, 1, table) for length, table in zip(lengths, tables, strict=True)]
    qkv = rng.standard_normal((len(requests), shape.qkv_size)).astype(np.float32)
    together = ours.run(qkv, request_step(requests))
    expected = reference.run(qkv, request_step(requests))
    np.testing.assert_allclose(together, expected, atol=TOLERANCES[kv_dtype])
    alone = [ours.run(qkv[i : i + 1], request_step([r])) for i, r in enumerate(requests)]
    np.testing.assert_array_equal(together, np.concatenate(alone))


@pytest.mark.parametrize("backend", NATIVE)
@pytest.mark.parametrize(("heads", "kv_heads", "head_size"), SHAPES)
def test_an_int8_cache_is_multiplied_in_exact_integers(
    backend: str, heads: int, kv_heads: int, head_size: int
) -> None:
    """Keys and values that int8 holds exactly: only queries and weights are rounded, to 15 bits.

    Half a step of a query moves a score by at most D * max(q) / 32,766 = e, as keys are at most 1,
    and so the weights by a factor within exp(+-2 e). A weight of a span is off by at most half of
    1/32,767 of the largest. Values are at most 1.
    """
    ones = np.ones((NUM_POSITIONS, head_size // 2), np.float32)
    shape = replace(
        attention_shape(heads, kv_heads, head_size, "int8"), cos=ones, sin=np.zeros_like(ones)
    )
    rng = np.random.default_rng(head_size)
    qkv = rng.integers(-127, 128, (60, shape.qkv_size)).astype(np.float32)
    qkv[:, ::head_size] = 127  # the largest of each head
    qkv /= 127
    qkv[:, : shape.query_size] *= rng.uniform(0.1, 9, (60, 1)).astype(np.float32)
    step = request_step([(0, 60, [7, 2, 11, 4])])
    ours, reference = (AttentionUnderTest(b, shape).run(qkv, step) for b in (backend, "reference"))
    largest = np.abs(qkv[:, : shape.query_size]).max() / head_size**0.5
    rounding = np.expm1(2 * head_size * largest / 32_766) + 60 / 65_534
    np.testing.assert_allclose(ours, reference, atol=float(rounding) + 2.0**-18)


@pytest.mark.parametrize("backend", NATIVE)
def test_heads_too_large_for_exact_integers_are_refused(backend: str) -> None:
    with pytest.raises(ValueError, match="heads are too large"):
        AttentionUnderTest(backend, attention_shape(1, 1, 1026, "int8"))


@pytest.mark.parametrize("backend", NATIVE)
@pytest.mark.parametrize("kv_dtype", TOLERANCES)
def test_a_long_context_is_cut_into_parts_at_fixed_places(backend: str, kv_dtype: KVDtype) -> None:
    """1,100 tokens are three parts: right by the reference, and the same bits in any chunks."""
    cos, sin = rotary_tables(8, 10_000.0, 1104)
    shape = AttentionShape(1, 4, 2, 8, 69, cos, sin, kv_dtype)
    rng = np.random.default_rng(0)
    qkv = rng.standard_normal((1100, shape.qkv_size)).astype(np.float32)

    def outputs(backend: str, chunk: int) -> np.ndarray:
        under_test = AttentionUnderTest(backend, shape)
        chunks = [
            under_test.run(
                qkv[start : start + chunk],
                request_step([(start, min(chunk, 1100 - start), list(range(69)))]),
            )
            for start in range(0, 1100, chunk)
        ]
        return np.concatenate(chunks)

    ours = outputs(backend, 64)
    np.testing.assert_array_equal(ours, outputs(backend, 27))
    np.testing.assert_allclose(ours, outputs("reference", 64), atol=TOLERANCES[kv_dtype])


@pytest.mark.parametrize("backend", NATIVE)
@pytest.mark.parametrize("kv_dtype", TOLERANCES)
def test_another_requests_infinities_stay_out(backend: str, kv_dtype: KVDtype) -> None:
    """A block that a broken request left behind must not leak through masked tokens."""
    shape = attention_shape(4, 2, 16, kv_dtype)
    under_test = AttentionUnderTest(backend, shape)
    under_test.run(np.full((16, shape.qkv_size), np.inf, np.float32), request_step([(0, 16, [1])]))
    qkv = np.random.default_rng(0).standard_normal((3, shape.qkv_size)).astype(np.float32)
    assert np.isfinite(under_test.run(qkv, request_step([(0, 3, [1])]))).all()


@pytest.mark.parametrize("backend", NATIVE)
@pytest.mark.parametrize("field", ["positions", "slots", "block_tables"])
def test_indices_out_of_range_are_refused(backend: str, field: str) -> None:
    under_test = AttentionUnderTest(backend, attention_shape(4, 2, 16))
    step = request_step([(0, 2, [1])])
    getattr(step, field)[:] = 100_000
    with pytest.raises(ValueError, match="out of range"):
        under_test.program.run(step)
