"""The block types of GGUF tensors: bytes in, numbers out. A new type is a function and a line.

A row is cut into blocks that each have a scale of their own. Float types give float32; ternary
types give -1, 0, 1 with the scales of their blocks. Layouts as ggml's and its forks' C code has
them; "first" and "last" are places in a block. The byte values and elements are little-endian.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sterna.engine.kernels import Codes, Floats

Trits = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class FloatBlocks:
    """A type that holds floats. decode: [blocks, num_bytes] -> float32 [blocks, num_weights]."""

    name: str
    num_weights: int
    num_bytes: int
    decode: Callable[[Codes], Floats]


@dataclass(frozen=True, slots=True)
class TernaryBlocks:
    """A type that holds trits. decode: [blocks, num_bytes] -> codes, float32 scales [blocks].

    Codes are 0, 1, 2 for -1, 0, 1, [blocks, num_weights]; a 3 is passed on.
    """

    name: str
    num_weights: int
    num_bytes: int
    decode: Callable[[Codes], tuple[Codes, Floats]]


def _half(data: Codes) -> Floats:
    """Read float16, two bytes in the last axis: [..., n] -> [..., n / 2]."""
    return np.ascontiguousarray(data).view(np.float16).astype(np.float32)


def _fields(data: Codes, width: int) -> Codes:
    """Split each byte into fields of ``width`` bits, lowest first."""
    shifts = (np.arange(8 // width) * width).astype(np.uint8)
    fields: Codes = (data[..., None] >> shifts) & np.uint8(2**width - 1)
    return fields.reshape(*data.shape[:-1], -1)


def planes(data: Codes, num_bytes: int, shifts: tuple[int, ...] = (0, 2, 4, 6)) -> Codes:
    """Read runs of ``num_bytes`` bytes plane by plane: two bits of all bytes, then the next two."""
    runs = data.reshape(len(data), -1, 1, num_bytes)
    codes: Codes = (runs >> np.array(shifts, np.uint8)[None, None, :, None]) & np.uint8(3)
    return codes.reshape(len(data), -1)


def _digits(data: Codes, count: int) -> Codes:
    """Return the first ``count`` base-3 digits of each byte, which holds ceil(256 n / 243)."""
    powers = np.array([1, 3, 9, 27, 81], np.uint16)[:count]
    shifted = (data[..., None].astype(np.uint16) * powers) & 255
    return (shifted * 3 >> 8).astype(np.uint8)


def _runs(data: Codes, widths: tuple[int, ...], count: int) -> Codes:
    """Read runs of bytes digit by digit: digit n of byte m of a run of w is element m + w n."""
    parts, at = [], 0
    for width in widths:
        digits = _digits(data[:, at : at + width], count)
        parts.append(digits.transpose(0, 2, 1).reshape(len(data), -1))
        at += width
    return np.concatenate(parts, 1)


def _q8_0(b: Codes) -> Floats:
    """float16 d first, int8."""
    return _half(b[:, :2]) * b[:, 2:].view(np.int8)


def _q4_0(b: Codes) -> Floats:
    """float16 d first; low nibbles are the first half; (q - 8) d."""
    nibbles = np.concatenate([b[:, 2:] & 15, b[:, 2:] >> 4], 1)
    return _half(b[:, :2]) * (nibbles.astype(np.float32) - 8)


def _q4_k(b: Codes) -> Floats:
    """float16 d and dmin first; eight scales and minima of 6 bits in 12 bytes; nibbles by 64."""
    packed = b[:, 4:16]
    scales, minima = np.empty((len(b), 8), np.uint8), np.empty((len(b), 8), np.uint8)
    scales[:, :4], minima[:, :4] = packed[:, :4] & 63, packed[:, 4:8] & 63
    scales[:, 4:] = (packed[:, 8:] & 15) | (packed[:, :4] >> 6 << 4)
    minima[:, 4:] = (packed[:, 8:] >> 4) | (packed[:, 4:8] >> 6 << 4)
    nibbles = b[:, 16:].reshape(-1, 4, 1, 32) >> np.array([0, 4], np.uint8)[None, None, :, None]
    codes = (nibbles & 15).reshape(-1, 8, 32).astype(np.float32)
    factors = (_half(b[:, :2]) * scales)[..., None]
    offsets = (_half(b[:, 2:4]) * minima)[..., None]
    return (factors * codes - offsets).reshape(len(b), -1)


def _q6_k(b: Codes) -> Floats:
    """Low nibbles, pairs of high bits, an int8 scale for each 16, float16 d last; (q - 32)."""
    low = b[:, :128].reshape(-1, 2, 2, 32)
    low = np.concatenate([low & 15, low >> 4], 2)
    high = planes(b[:, 128:192], 32).reshape(-1, 2, 4, 32)
    codes = ((low | high << 4).astype(np.float32) - 32).reshape(-1, 2, 4, 2, 16)
    scales = b[:, 192:208].view(np.int8).astype(np.float32).reshape(-1, 2, 4, 2, 1)
    return _half(b[:, 208:]) * (codes * scales).reshape(len(b), -1)


def _bfloat16(b: Codes) -> Floats:
    return (np.ascontiguousarray(b).view(np.uint16).astype(np.uint32) << 16).view(np.float32)


def _float32(b: Codes) -> Floats:
    return np.ascontiguousarray(b).view(np.float32)


def _q1_0(b: Codes) -> tuple[Codes, Floats]:
    """float16 d first; a bit each, 1 is +d and 0 is -d."""
    return 2 * _fields(b[:, 2:], 1), _half(b[:, :2])[:, 0]


def _q2_0(b: Codes) -> tuple[Codes, Floats]:
    """float16 d first; two bits each, in order."""
    return _fields(b[:, 2:], 2), _half(b[:, :2])[:, 0]


def _tq1_0(b: Codes) -> tuple[Codes, Floats]:
    """48 bytes of five trits in runs of 32 and 16, 4 bytes of four trits, float16 d last."""
    codes = np.concatenate([_runs(b[:, :48], (32, 16), 5), _runs(b[:, 48:52], (4,), 4)], 1)
    return codes, _half(b[:, 52:])[:, 0]


def _ptq1_0(b: Codes) -> tuple[Codes, Floats]:
    """24 bytes of five trits in runs of 16 and 8, 2 bytes of four trits, float16 d last."""
    codes = np.concatenate([_runs(b[:, :24], (16, 8), 5), _runs(b[:, 24:26], (2,), 4)], 1)
    return codes, _half(b[:, 26:])[:, 0]


def _tq2_0(b: Codes) -> tuple[Codes, Floats]:
    """Two runs of 32 bytes, plane by plane, float16 d last."""
    return planes(b[:, :64], 32), _half(b[:, 64:])[:, 0]


FLOATS: Final = {
    0: FloatBlocks("F32", 1, 4, _float32),
    1: FloatBlocks("F16", 1, 2, _half),
    2: FloatBlocks("Q4_0", 32, 18, _q4_0),
    8: FloatBlocks("Q8_0", 32, 34, _q8_0),
    12: FloatBlocks("Q4_K", 256, 144, _q4_k),
    14: FloatBlocks("Q6_K", 256, 210, _q6_k),
    30: FloatBlocks("BF16", 1, 2, _bfloat16),
}
TERNARY: Final = {
    34: (TernaryBlocks("TQ1_0", 256, 54, _tq1_0),),
    35: (TernaryBlocks("TQ2_0", 256, 66, _tq2_0),),
    41: (TernaryBlocks("Q1_0", 128, 18, _q1_0),),
    42: (TernaryBlocks("Q2_0", 64, 18, _q2_0), TernaryBlocks("Q2_0 of 128", 128, 34, _q2_0)),
    142: (TernaryBlocks("PQ2_0", 128, 34, _q2_0),),
    143: (TernaryBlocks("PTQ1_0", 128, 28, _ptq1_0),),
}
"""Layouts by the type's number; where there are several, the tensor's size tells them apart."""
