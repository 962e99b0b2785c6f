"""Blocks mean what ggml's C code makes of them: bytes by hand, and what our encoders wrote."""

import numpy as np
import pytest

from sterna.engine.model.sources.gguf.blocks import FLOATS, TERNARY
from sterna.engine.model.sources.gguf.container import TensorHeader
from sterna.engine.model.sources.gguf.ternary import decode_ternary
from sterna.engine.synth.gguf_blocks import ENCODINGS


def half(value: float) -> bytes:
    return np.float16(value).tobytes()


def header(type_id: int, shape: tuple[int, ...], data: bytes) -> TensorHeader:
    return TensorHeader(type_id, shape, np.frombuffer(data, np.uint8), 32)


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("blocks_a_row", [1, 3])
def test_ternary_types_read_back(name: str, blocks_a_row: int) -> None:
    encoding, rng = ENCODINGS[name], np.random.default_rng(0)
    rows, inputs = 5, blocks_a_row * encoding.num_weights
    codes = rng.integers(0, 3, (rows * blocks_a_row, encoding.num_weights), np.uint8)
    scales = rng.uniform(0.01, 2, len(codes)).astype(np.float16).astype(np.float32)
    data = encoding.encode(codes, scales).tobytes()
    read, read_scales = decode_ternary(header(encoding.type_id, (rows, inputs), data))
    assert np.array_equal(read, codes.reshape(rows, inputs))
    assert np.array_equal(read_scales, scales.reshape(rows, blocks_a_row))


def test_two_sizes_of_block_under_one_number() -> None:
    """Type 42 is blocks of 64; files of a fork, from before it had a number of its own, of 128."""
    codes, scales = np.ones((3, 128), np.uint8), np.ones(3, np.float32)
    legacy = ENCODINGS["PQ2_0"].encode(codes, scales).tobytes()
    _, read_scales = decode_ternary(header(42, (3, 128), legacy))
    assert read_scales.shape == (3, 1)
    today = ENCODINGS["Q2_0"].encode(codes.reshape(6, 64), np.ones(6, np.float32)).tobytes()
    _, read_scales = decode_ternary(header(42, (3, 128), today))
    assert read_scales.shape == (3, 2)
    with pytest.raises(ValueError, match=r"200 bytes for \[3, 128\]"):
        decode_ternary(header(42, (3, 128), bytes(200)))


def test_i2_s_by_hand() -> None:
    """Byte j of a run of 32 has element j in its highest bits, then 32 + j, 64 + j, 96 + j."""
    data = bytearray(bytes([0b01010101]) * 32 + np.float32(0.5).tobytes() + bytes(28))
    data[3] = 0b00_01_10_01
    codes, scales = decode_ternary(header(36, (1, 128), bytes(data)))
    assert [codes[0, at] for at in (3, 35, 67, 99)] == [0, 1, 2, 1]
    assert scales.tolist() == [[0.5]]
    assert (np.delete(codes[0], [3, 35, 67, 99]) == 1).all()


def test_iq2_bn_by_hand() -> None:
    """Byte j of a run of 16 has element j in its lowest bits, then 16 + j, 32 + j, 48 + j."""
    row = bytearray(np.float32(2.0).tobytes() + bytes([0b01010101]) * 16)
    row[4 + 5] = 0b10_01_00_01
    codes, scales = decode_ternary(header(135, (2, 64), bytes(row) * 2))
    assert [codes[1, at] for at in (5, 21, 37, 53)] == [1, 0, 1, 2]
    assert scales.tolist() == [[2.0], [2.0]]


def test_q1_0_by_hand() -> None:
    """A bit is plus or minus the scale; there is no zero."""
    codes, scales = decode_ternary(header(41, (1, 128), half(0.25) + bytes([0b101]) + bytes(15)))
    assert codes[0, :4].tolist() == [2, 0, 2, 0]
    assert scales.tolist() == [[0.25]]


@pytest.mark.parametrize(
    ("type_id", "block", "expected"),
    [
        (2, half(0.5) + bytes([0x90]) + bytes(15), {0: -4.0, 16: 0.5, 1: -4.0}),
        (8, half(0.5) + bytes([0xFE, 3]) + bytes(30), {0: -1.0, 1: 1.5, 2: 0.0}),
        # scales 1 and minima 2 of the first 32, low nibbles
        (12, half(0.5) + half(0.25) + bytes([1, 0, 0, 0, 2] + [0] * 7) + bytes([7]) + bytes(127),
         {0: 0.5 * 7 - 0.25 * 2, 1: -0.5, 32: 0.0}),
        # low nibble 5 with high bits 2 is 37, minus 32, scale 3
        (14, bytes([5]) + bytes(127) + bytes([2]) + bytes(63) + bytes([3] * 16) + half(0.5),
         {0: 0.5 * 3 * 5, 1: 0.5 * 3 * -32}),
        (30, bytes([0xC0, 0x3F]), {0: 1.5}),
    ],
)  # fmt: skip
def test_float_types_by_hand(type_id: int, block: bytes, expected: dict[int, float]) -> None:
    blocks = FLOATS[type_id]
    assert len(block) == blocks.num_bytes
    values = blocks.decode(np.frombuffer(block, np.uint8)[None])
    assert values.shape == (1, blocks.num_weights)
    assert {at: float(values[0, at]) for at in expected} == expected


def test_every_encoding_is_of_a_type_that_is_read() -> None:
    assert {encoding.type_id for encoding in ENCODINGS.values()} <= TERNARY.keys()
