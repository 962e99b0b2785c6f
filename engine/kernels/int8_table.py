"""The output head's table in int8, with what is needed to bound its errors.

Each vocabulary row w [K] is rounded to ``w ~ scale * q`` by its largest magnitude. Blocks of 64
rows and steps of 4 inputs, as in ``packing``, but a byte a weight::

    codes[b, s]    256 bytes: byte 4r + i, r < 64, i < 4: row 64b + r at input 4s + i

Rows past V and inputs past K hold 0.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sterna.engine.kernels.arrays import Floats, Ints, Table, widen
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

    codes: NDArray[np.int8]
    scales: Floats
    sums: Ints
    residual_norms: Floats
    norms: Floats

    @property
    def num_bytes(self) -> int:
        """Bytes of all parts."""
        return sum(getattr(self, name).nbytes for name in INT8_PARTS)

    def unpack(self, width: int) -> NDArray[np.int8]:
        """Return the int8 codes as rows [V, K]."""
        blocks, steps, _ = self.codes.shape
        rows = self.codes.reshape(blocks, steps, BLOCK_ROWS, STEP_INPUTS).transpose(0, 2, 1, 3)
        return rows.reshape(blocks * BLOCK_ROWS, -1)[: len(self.scales), :width]


INT8_PARTS: Final = ("codes", "scales", "sums", "residual_norms", "norms")


def int8_codes_shape(num_rows: int, width: int) -> tuple[int, int, int]:
    """Return the shape of the codes of a table [num_rows, width]."""
    return -(-num_rows // BLOCK_ROWS), -(-width // STEP_INPUTS), _STEP_BYTES


def pack_int8_table(table: Table) -> Int8Table:
    """Round a float table [V, K] to int8, a few thousand rows at a time."""
    num_rows, width = table.shape
    packed = Int8Table(
        codes=np.empty(int8_codes_shape(num_rows, width), np.int8),
        scales=np.empty(num_rows, np.float32),
        sums=np.empty(num_rows, np.int32),
        residual_norms=np.empty(num_rows, np.float32),
        norms=np.empty(num_rows, np.float32),
    )
    for block in range(0, len(packed.codes), _CHUNK_BLOCKS):
        _pack_rows(table, packed, block)
    return packed


def _pack_rows(table: Table, packed: Int8Table, block: int) -> None:
    """Pack the rows of _CHUNK_BLOCKS blocks, in place."""
    first, last = block * BLOCK_ROWS, (block + _CHUNK_BLOCKS) * BLOCK_ROWS
    rows = widen(table[first:last])
    scales = np.maximum(np.abs(rows).max(-1, keepdims=True), np.float32(1e-30)) / np.float32(127)
    codes = np.clip(np.rint(rows / scales), -127, 127)
    rounded = codes * scales
    packed.scales[first:last] = scales[:, 0]
    packed.sums[first:last] = codes.sum(-1, dtype=np.float64)
    packed.residual_norms[first:last] = _norms(rows - rounded)
    packed.norms[first:last] = _norms(rounded)
    target = packed.codes[block : block + _CHUNK_BLOCKS]
    padded = np.zeros((len(target) * BLOCK_ROWS, target.shape[1] * STEP_INPUTS), np.int8)
    padded[: len(rows), : rows.shape[1]] = codes
    words = padded.view(np.int32).reshape(len(target), BLOCK_ROWS, -1).transpose(0, 2, 1)
    target.view(np.int32)[...] = words


def _norms(rows: Floats) -> NDArray[np.float64]:
    """Return the length of each row, rounded up."""
    squares: NDArray[np.float64] = np.einsum("vk,vk->v", rows, rows, dtype=np.float64)
    return np.sqrt(squares) * _UP
