"""Trits as the blocks of GGUF types: what ``engine/model/sources/gguf/blocks.py`` reads back.

Codes are 0, 1, 2 for -1, 0, 1. Every function takes [blocks, weights] and scales [blocks], and
returns the blocks' bytes [blocks, bytes].
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from sterna.engine.kernels import Codes, Floats


@dataclass(frozen=True, slots=True)
class TernaryEncoding:
    """A type to write: its number, weights and bytes of a block, and how blocks are written."""

    type_id: int
    num_weights: int
    num_bytes: int
    encode: Callable[[Codes, Floats], Codes]


def _half(scales: Floats) -> Codes:
    return scales.astype(np.float16)[:, None].view(np.uint8)


def _pairs(codes: Codes) -> Codes:
    """Put four codes into a byte, in order, lowest first."""
    shifts = np.array([0, 2, 4, 6], np.uint8)
    packed: Codes = np.bitwise_or.reduce(codes.reshape(len(codes), -1, 4) << shifts, -1)
    return packed


def _planes(codes: Codes, num_bytes: int, shifts: tuple[int, ...] = (0, 2, 4, 6)) -> Codes:
    """Put codes into runs of ``num_bytes`` bytes, plane by plane."""
    runs = codes.reshape(len(codes), -1, 4, num_bytes) << np.array(shifts, np.uint8)[:, None]
    packed: Codes = np.bitwise_or.reduce(runs, 2)
    return packed.reshape(len(codes), -1)


def _digits(codes: Codes, widths: tuple[int, ...], count: int) -> Codes:
    """Put ``count`` trits into a byte, the first highest, as ceil(256 n / 243)."""
    powers = 3 ** np.arange(4, 4 - count, -1)
    parts, at = [], 0
    for width in widths:
        run = codes[:, at : at + count * width].reshape(len(codes), count, width)
        numbers = (run * powers[None, :, None]).sum(1)
        parts.append(((numbers * 256 + 242) // 243).astype(np.uint8))
        at += count * width
    return np.concatenate(parts, 1)


def _tq1_0(codes: Codes, scales: Floats) -> Codes:
    fives, fours = _digits(codes[:, :240], (32, 16), 5), _digits(codes[:, 240:], (4,), 4)
    return np.concatenate([fives, fours, _half(scales)], 1)


def _ptq1_0(codes: Codes, scales: Floats) -> Codes:
    fives, fours = _digits(codes[:, :120], (16, 8), 5), _digits(codes[:, 120:], (2,), 4)
    return np.concatenate([fives, fours, _half(scales)], 1)


def _tq2_0(codes: Codes, scales: Floats) -> Codes:
    return np.concatenate([_planes(codes, 32), _half(scales)], 1)


def _q2_0(codes: Codes, scales: Floats) -> Codes:
    return np.concatenate([_half(scales), _pairs(codes)], 1)


ENCODINGS: Final = {
    "TQ1_0": TernaryEncoding(34, 256, 54, _tq1_0),
    "TQ2_0": TernaryEncoding(35, 256, 66, _tq2_0),
    "Q2_0": TernaryEncoding(42, 64, 18, _q2_0),
    "PQ2_0": TernaryEncoding(142, 128, 34, _q2_0),
    "PTQ1_0": TernaryEncoding(143, 128, 28, _ptq1_0),
}
