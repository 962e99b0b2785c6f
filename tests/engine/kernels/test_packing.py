"""The packed order is the one that is drawn, and packing loses nothing."""

import numpy as np
import pytest

from sterna.engine.kernels.packing import PackedTernary, codes_shape, pack_ternary, unpack_ternary

ZEROS = int("11111", 3)  # a byte of five zero weights


@pytest.mark.parametrize(
    ("out_features", "in_features"),
    [(1, 1), (3, 5), (16, 4), (79, 7), (80, 4), (81, 8), (100, 130), (160, 257), (640, 66)],
)
def test_unpacking_returns_the_weights(out_features: int, in_features: int) -> None:
    rng = np.random.default_rng(out_features * 1000 + in_features)
    weights = rng.integers(-1, 2, (out_features, in_features), np.int8)
    codes = pack_ternary(weights)
    assert codes.dtype == np.uint8
    assert codes.flags.c_contiguous
    assert codes.shape == codes_shape(out_features, in_features)
    assert np.array_equal(unpack_ternary(codes, out_features, in_features), weights)


def test_packing_takes_any_strides() -> None:
    weights = np.random.default_rng(0).integers(-1, 2, (70, 9), np.int8)
    assert np.array_equal(pack_ternary(weights.T), pack_ternary(weights.T.copy()))


def test_one_byte_by_hand() -> None:
    """Byte 4r + i holds rows r, r+16, ... r+64 as digits from the highest down, at input 4s + i."""
    weights = np.zeros((80, 12), np.int8)
    row, step, position = 5, 2, 3
    for offset, weight in zip(range(0, 80, 16), (1, -1, 0, 1, -1), strict=True):
        weights[row + offset, 4 * step + position] = weight
    codes = pack_ternary(weights)
    assert codes[0, step, 4 * row + position] == int("20120", 3)
    codes[0, step, 4 * row + position] = ZEROS
    assert (codes == ZEROS).all()


def test_padding_is_code_one() -> None:
    codes = pack_ternary(np.full((1, 1), -1, np.int8))
    assert codes[0, 0, 0] == int("01111", 3)
    assert (codes.flatten()[1:] == ZEROS).all()


def test_bytes_of_a_matrix_are_codes_and_scales() -> None:
    matrix = PackedTernary(pack_ternary(np.zeros((81, 5), np.int8)), np.ones(81, np.float32), 81, 5)
    assert matrix.num_bytes == 2 * 2 * 64 + 81 * 4
