"""The output head's table in int8, with what is needed to bound its errors.

Each vocabulary row w [K] is rounded to ``w ~ scale * q`` by its largest magnitude. Blocks of 64
rows and steps of 4 inputs, as in ``packing``, but a byte a weight::

    codes[b, s]    256 bytes: byte 4r + i, r < 64, i < 4: row 64b + r at input 4s + i

Rows past V and inputs past K hold 0.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from sterna.engine.kernels.packing import STEP_INPUTS

BLOCK_ROWS: Final = 64
_STEP_BYTES: Final = BLOCK_ROWS * STEP_INPUTS
_CHUNK_BLOCKS: Final = 64  # packed at a time: 4,096 rows
_UP: Final = 1 + 1e-6  # norms are bounds: never rounded down


@dataclass(frozen=True, slots=True)
class Int8Table:
    """Vocabulary rows in int8.

    codes: int8 [ceil(V/64), ceil(K/4), 256]. The others are [V]: scales float32; sums int32, of a
    row's codes; residual_norms float32, |w - scale q|; norms float32, |scale q|.
    """

    codes: Tensor
    scales: Tensor
    sums: Tensor
    residual_norms: Tensor
    norms: Tensor

    @property
    def num_bytes(self) -> int:
        """Bytes of all parts."""
        return sum(getattr(self, name).nbytes for name in INT8_PARTS)

    def unpack(self, width: int) -> Tensor:
        """Return the int8 codes as rows [V, K]."""
        blocks, steps, _ = self.codes.shape
        rows = self.codes.view(blocks, steps, BLOCK_ROWS, STEP_INPUTS).transpose(1, 2)
        return rows.reshape(blocks * BLOCK_ROWS, -1)[: len(self.scales), :width]


INT8_PARTS: Final = ("codes", "scales", "sums", "residual_norms", "norms")


def int8_codes_shape(num_rows: int, width: int) -> tuple[int, int, int]:
    """Return the shape of the codes of a table [num_rows, width]."""
    return -(-num_rows // BLOCK_ROWS), -(-width // STEP_INPUTS), _STEP_BYTES


def pack_int8_table(table: Tensor) -> Int8Table:
    """Round a float table [V, K] to int8, a few thousand rows at a time."""
    num_rows, width = table.shape
    packed = Int8Table(
        codes=torch.empty(int8_codes_shape(num_rows, width), dtype=torch.int8),
        scales=torch.empty(num_rows),
        sums=torch.empty(num_rows, dtype=torch.int32),
        residual_norms=torch.empty(num_rows),
        norms=torch.empty(num_rows),
    )
    for block in range(0, len(packed.codes), _CHUNK_BLOCKS):
        _pack_rows(table, packed, block)
    return packed


def _pack_rows(table: Tensor, packed: Int8Table, block: int) -> None:
    """Pack the rows of _CHUNK_BLOCKS blocks, in place."""
    first, last = block * BLOCK_ROWS, (block + _CHUNK_BLOCKS) * BLOCK_ROWS
    rows = table[first:last].float()
    scales = rows.abs().amax(-1, keepdim=True).clamp(min=1e-30) / 127
    codes = (rows / scales).round().clamp(-127, 127)
    rounded = codes * scales
    packed.scales[first:last] = scales[:, 0]
    packed.sums[first:last] = codes.sum(-1, dtype=torch.float64).int()
    packed.residual_norms[first:last] = (rows - rounded).norm(dim=-1) * _UP
    packed.norms[first:last] = rounded.norm(dim=-1) * _UP
    target = packed.codes[block : block + _CHUNK_BLOCKS]
    padded = torch.zeros(len(target) * BLOCK_ROWS, target.shape[1] * STEP_INPUTS, dtype=torch.int8)
    padded[: len(rows), : rows.shape[1]] = codes.to(torch.int8)
    words = padded.view(torch.int32).view(len(target), BLOCK_ROWS, -1).transpose(1, 2)
    target.view(torch.int32).copy_(words)
