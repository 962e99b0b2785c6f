"""The packed order is the one that is drawn, and packing loses nothing."""

import pytest
import torch

from sterna.engine.kernels.packing import PackedTernary, codes_shape, pack_ternary, unpack_ternary

ZEROS = int("11111", 3)  # a byte of five zero weights


@pytest.mark.parametrize(
    ("out_features", "in_features"),
    [(1, 1), (3, 5), (16, 4), (79, 7), (80, 4), (81, 8), (100, 130), (160, 257), (640, 66)],
)
def test_unpacking_returns_the_weights(out_features: int, in_features: int) -> None:
    generator = torch.Generator().manual_seed(out_features * 1000 + in_features)
    size = (out_features, in_features)
    weights = torch.randint(-1, 2, size, generator=generator, dtype=torch.int8)
    codes = pack_ternary(weights)
    assert codes.dtype == torch.uint8
    assert codes.is_contiguous()
    assert tuple(codes.shape) == codes_shape(out_features, in_features)
    assert torch.equal(unpack_ternary(codes, out_features, in_features), weights)


def test_packing_takes_any_strides() -> None:
    weights = torch.randint(-1, 2, (70, 9), dtype=torch.int8)
    assert torch.equal(pack_ternary(weights.t()), pack_ternary(weights.t().contiguous()))


def test_one_byte_by_hand() -> None:
    """Byte 4r + i holds rows r, r+16, ... r+64 as digits from the highest down, at input 4s + i."""
    weights = torch.zeros(80, 12, dtype=torch.int8)
    row, step, position = 5, 2, 3
    for offset, weight in zip(range(0, 80, 16), (1, -1, 0, 1, -1), strict=True):
        weights[row + offset, 4 * step + position] = weight
    codes = pack_ternary(weights)
    assert codes[0, step, 4 * row + position] == int("20120", 3)
    codes[0, step, 4 * row + position] = ZEROS
    assert torch.all(codes == ZEROS)


def test_padding_is_code_one() -> None:
    codes = pack_ternary(torch.full((1, 1), -1, dtype=torch.int8))
    assert codes[0, 0, 0] == int("01111", 3)
    assert torch.all(codes.flatten()[1:] == ZEROS)


def test_bytes_of_a_matrix_are_codes_and_scales() -> None:
    matrix = PackedTernary(
        pack_ternary(torch.zeros(81, 5, dtype=torch.int8)), torch.ones(81), 81, 5
    )
    assert matrix.num_bytes == 2 * 2 * 64 + 81 * 4
