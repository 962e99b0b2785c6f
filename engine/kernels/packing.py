"""The packed form of a ternary matrix: five weights in a byte, in the order in which kernels read.

A matrix of N output rows and K inputs is cut into blocks of 80 rows and steps of 4 inputs. Each
(block, step) is 64 bytes, one cache line, and one block's steps follow each other::

    codes[b, s]            rows 80b .. 80b+79, inputs 4s .. 4s+3

    byte 4r + i, r < 16, i < 4: input 4s + i of five rows, as digits to the base 3

        81 c(r) + 27 c(r+16) + 9 c(r+32) + 3 c(r+48) + c(r+64)       (rows + 80b)

A digit c is w + 1, so 0, 1 or 2. From 64 bytes come five times 16 rows x 4 inputs, row after row:
just what a 4-way int8 dot product takes. N is padded to a multiple of 80 and K to a multiple of 4
with digit 1 (weight 0). The order does not depend on the processor, so packed files move between
machines. Why five: ``docs/decisions/0011-five-trits-in-a-byte.md``.

This is not any published file format; reading those belongs to ``engine.model``.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sterna.engine.kernels.arrays import Codes, Floats

BLOCK_ROWS: Final = 80
STEP_INPUTS: Final = 4
STEP_BYTES: Final = 64
ROWS_PER_BYTE: Final = 5
_ROWS_APART: Final = BLOCK_ROWS // ROWS_PER_BYTE  # between the rows that share a byte


@dataclass(frozen=True, slots=True)
class PackedTernary:
    """A ternary matrix [N, K] with one scale for each output row.

    codes: uint8 [ceil(N/80), ceil(K/4), 64], contiguous, drawn above; may be mapped read-only.
    row_scales: float32 [N]; they multiply: ``y = (w . x_int8) * activation_scale * row_scale``.
    """

    codes: Codes
    row_scales: Floats
    out_features: int
    in_features: int

    @property
    def num_bytes(self) -> int:
        """Bytes that a product with this matrix reads: codes and scales."""
        return self.codes.nbytes + self.row_scales.nbytes


def codes_shape(out_features: int, in_features: int) -> tuple[int, int, int]:
    """Return the shape of the codes of a matrix [out_features, in_features]."""
    return -(-out_features // BLOCK_ROWS), -(-in_features // STEP_INPUTS), STEP_BYTES


def pack_ternary(weights: NDArray[np.int8]) -> Codes:
    """Pack int8 [N, K] weights, each -1, 0 or 1 (not checked), into their codes."""
    out_features, in_features = weights.shape
    blocks, steps, _ = codes_shape(out_features, in_features)
    padded = np.ones((blocks * BLOCK_ROWS, steps * STEP_INPUTS), np.uint8)
    np.add(weights.view(np.uint8), 1, out=padded[:out_features, :in_features])  # -1 wraps to 0
    by_row = padded.reshape(blocks, ROWS_PER_BYTE, _ROWS_APART, steps * STEP_INPUTS)
    merged = by_row[:, 0].copy()
    for position in range(1, ROWS_PER_BYTE):
        merged *= 3
        merged += by_row[:, position]
    # The four inputs of a step stay together: move them as one 32-bit word.
    words = np.ascontiguousarray(merged.view(np.int32).transpose(0, 2, 1))
    return words.view(np.uint8).reshape(blocks, steps, STEP_BYTES)


def unpack_ternary(codes: Codes, out_features: int, in_features: int) -> NDArray[np.int8]:
    """Return the int8 [N, K] weights behind codes; the inverse of ``pack_ternary``."""
    blocks, steps, _ = codes.shape
    words = np.ascontiguousarray(codes.view(np.int32).transpose(0, 2, 1))
    merged = words.view(np.uint8).reshape(blocks, 1, _ROWS_APART, steps * STEP_INPUTS)
    powers = np.array([81, 27, 9, 3, 1], np.uint8).reshape(1, -1, 1, 1)
    rows = (merged // powers % 3).view(np.int8) - np.int8(1)
    unpacked = rows.reshape(blocks * BLOCK_ROWS, steps * STEP_INPUTS)
    return np.ascontiguousarray(unpacked[:out_features, :in_features])
