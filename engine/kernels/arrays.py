"""The arrays that kernels take, and bfloat16, which numpy does not know.

A bfloat16 is the upper half of a float32. Arrays of uint16 hold such halves, and nothing else.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int32]
Floats: TypeAlias = NDArray[np.float32]
Codes: TypeAlias = NDArray[np.uint8]
Table: TypeAlias = NDArray[np.uint16] | NDArray[np.float32]
"""Rows of bfloat16, or of float32."""


def widen(array: NDArray[np.generic]) -> Floats:
    """Return floats of any width as float32; nothing is lost of bfloat16 and float16."""
    if array.dtype != np.uint16:
        return array.astype(np.float32, copy=False)
    bits = array.astype(np.uint32)
    bits <<= 16
    return bits.view(np.float32)


def narrow(array: Floats) -> NDArray[np.uint16]:
    """Round finite float32 values to bfloat16, half to even."""
    bits = array.view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)
