"""The packed form of a ternary matrix: 2 bits a weight, in the order in which kernels read it.

A matrix of N output rows and K inputs is cut into blocks of 64 rows and steps of 4 inputs. Each
(block, step) is 64 bytes, one cache line, and one block's steps follow each other::

    codes[b, s]            rows 64b .. 64b+63, inputs 4s .. 4s+3

    byte 4r + i, r < 16, i < 4: input 4s + i of four rows

        bit   7 6 | 5 4 | 3 2 | 1 0
        row   r+48  r+32  r+16  r       (+ 64b)

Masking a load of 64 bytes with two bits gives 16 rows x 4 inputs, row after row: just what a
4-way int8 dot product takes. A code is w + 1, so 0, 1 or 2; 3 never occurs. N is padded to a
multiple of 64 and K to a multiple of 4 with code 1 (weight 0). The order does not depend on the
processor, so packed files move between machines.

This is not any published file format; reading those belongs to ``engine.model``.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

BLOCK_ROWS: Final = 64
STEP_INPUTS: Final = 4
ROWS_PER_BYTE: Final = 4
_ROWS_APART: Final = BLOCK_ROWS // ROWS_PER_BYTE  # between the rows that share a byte


@dataclass(frozen=True, slots=True)
class PackedTernary:
    """A ternary matrix [N, K] with one scale for each output row.

    codes: uint8 [ceil(N/64), ceil(K/4), 64], contiguous, drawn above; may be mapped read-only.
    row_scales: float32 [N]; they multiply: ``y = (w . x_int8) * activation_scale * row_scale``.
    """

    codes: Tensor
    row_scales: Tensor
    out_features: int
    in_features: int

    @property
    def num_bytes(self) -> int:
        """Bytes that a product with this matrix reads: codes and scales."""
        return self.codes.nbytes + self.row_scales.nbytes


def codes_shape(out_features: int, in_features: int) -> tuple[int, int, int]:
    """Return the shape of the codes of a matrix [out_features, in_features]."""
    return -(-out_features // BLOCK_ROWS), -(-in_features // STEP_INPUTS), BLOCK_ROWS


def pack_ternary(weights: Tensor) -> Tensor:
    """Pack int8 [N, K] weights, each -1, 0 or 1 (not checked), into their codes."""
    out_features, in_features = weights.shape
    blocks, steps, _ = codes_shape(out_features, in_features)
    padded = torch.ones(blocks * BLOCK_ROWS, steps * STEP_INPUTS, dtype=torch.uint8)
    torch.add(weights.view(torch.uint8), 1, out=padded[:out_features, :in_features])
    by_row = padded.view(blocks, ROWS_PER_BYTE, _ROWS_APART, steps * STEP_INPUTS)
    merged = by_row[:, 0].clone()
    for position in range(1, ROWS_PER_BYTE):
        merged |= by_row[:, position] << (2 * position)
    # The four inputs of a step stay together: move them as one 32-bit word.
    words = merged.view(torch.int32).transpose(1, 2).reshape(blocks, steps * _ROWS_APART)
    return words.view(torch.uint8).view(blocks, steps, BLOCK_ROWS)


def unpack_ternary(codes: Tensor, out_features: int, in_features: int) -> Tensor:
    """Return the int8 [N, K] weights behind codes; the inverse of ``pack_ternary``."""
    blocks, steps, _ = codes.shape
    words = codes.view(torch.int32).transpose(1, 2).reshape(blocks, _ROWS_APART * steps)
    merged = words.view(torch.uint8).view(blocks, 1, _ROWS_APART, steps * STEP_INPUTS)
    shifts = torch.arange(0, 2 * ROWS_PER_BYTE, 2, dtype=torch.uint8).view(1, -1, 1, 1)
    rows = ((merged >> shifts) & 3).view(torch.int8) - 1
    unpacked = rows.view(blocks * BLOCK_ROWS, steps * STEP_INPUTS)
    return unpacked[:out_features, :in_features].contiguous()
