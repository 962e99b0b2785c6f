"""A ternary tensor of a GGUF file, in any layout: its codes and its scales.

Most types are rows of blocks (``blocks``). Two of BitNet's forks are not: I2_S has one scale for
the tensor behind all codes, IQ2_BN one for each row before them.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from sterna.engine.kernels import Codes, Floats
from sterna.engine.model.sources.gguf.blocks import TERNARY, TernaryBlocks, planes
from sterna.engine.model.sources.gguf.container import TensorHeader

_I2_S, _IQ2_BN = 36, 135
_TAIL_BYTES: Final = 32  # of I2_S: the scale, and padding


def is_ternary(header: TensorHeader) -> bool:
    """Tell whether the type of a tensor can hold nothing but ternary weights."""
    return header.type_id in TERNARY or header.type_id in _WHOLE


def has_groups(header: TensorHeader) -> bool:
    """Tell whether the ternary type has a scale for each block, and not for a row or a tensor."""
    return header.type_id in TERNARY


def group_of(header: TensorHeader) -> int:
    """Return how many inputs share a scale, of a type that has groups. Raises ValueError."""
    return _layout(header).num_weights


def decode_ternary(header: TensorHeader) -> tuple[Codes, Floats]:
    """Return codes [N, K] of 0, 1, 2 (and 3, if the file has any), and scales [N, G].

    G scales of a row belong to K / G inputs each. Raises ValueError, saying what was found, for
    sizes that the type cannot have.
    """
    if len(header.shape) != 2:
        raise ValueError(f"{len(header.shape)} dimensions")
    if header.type_id in _WHOLE:
        return _WHOLE[header.type_id](header)
    blocks = _layout(header)
    rows, inputs = header.shape
    data = header.data[: header.num_elements // blocks.num_weights * blocks.num_bytes]
    codes, scales = blocks.decode(data.reshape(-1, blocks.num_bytes))
    return codes.reshape(rows, inputs), scales.reshape(rows, -1)


def _layout(header: TensorHeader) -> TernaryBlocks:
    """Return the layout whose size is the tensor's."""
    inputs = header.shape[1]
    for blocks in TERNARY[header.type_id]:
        num_bytes = header.num_elements // blocks.num_weights * blocks.num_bytes
        if inputs % blocks.num_weights == 0 and header.holds(num_bytes):
            return blocks
    raise ValueError(f"{len(header.data)} bytes for {list(header.shape)}")


def _i2_s(header: TensorHeader) -> tuple[Codes, Floats]:
    """128 weights in 32 bytes, plane by plane, high bits first; then one float32 scale.

    As written by quantisers on x86. Those on ARM write another order, and nothing in a file tells.
    """
    rows, inputs = header.shape
    num_codes = header.num_elements // 4
    if inputs % 128 or not header.holds(num_codes + _TAIL_BYTES):
        raise ValueError(f"{len(header.data)} bytes for {list(header.shape)}")
    codes = planes(header.data[:num_codes].reshape(-1, 32), 32, (6, 4, 2, 0))
    scale = header.data[num_codes : num_codes + 4].copy().view(np.float32)
    return codes.reshape(rows, inputs), np.full((rows, 1), scale[0], np.float32)


def _iq2_bn(header: TensorHeader) -> tuple[Codes, Floats]:
    """Each row: a float32 scale, then 64 weights in 16 bytes, plane by plane."""
    rows, inputs = header.shape
    row_bytes = 4 + inputs // 4
    if inputs % 64 or not header.holds(rows * row_bytes):
        raise ValueError(f"{len(header.data)} bytes for {list(header.shape)}")
    data = header.data[: rows * row_bytes].reshape(rows, row_bytes)
    codes = planes(np.ascontiguousarray(data[:, 4:]).reshape(-1, 16), 16)
    return codes.reshape(rows, inputs), np.ascontiguousarray(data[:, :4]).view(np.float32)


_WHOLE: Final[dict[int, Callable[[TensorHeader], tuple[Codes, Floats]]]] = {
    _I2_S: _i2_s,
    _IQ2_BN: _iq2_bn,
}
