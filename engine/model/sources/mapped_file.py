"""Bytes of a file as an array, read from disk only where they are touched."""

import mmap
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

from sterna.engine.kernels import Codes
from sterna.engine.model.sources.regular_file import open_regular


def map_file(file: Path, num_bytes: int) -> Codes:
    """Map the first ``num_bytes`` (> 0) of a file, read-only: uint8 [num_bytes].

    Pages are shared with every other process that maps the file. A file that shrinks while it is
    mapped kills the process on access, so replace one by renaming a new file over it. Raises
    OSError if the file cannot be read, ValueError if it is shorter.
    """
    with open_regular(file) as opened:
        mapping = mmap.mmap(opened.fileno(), num_bytes, access=mmap.ACCESS_READ)
    return np.frombuffer(mapping, np.uint8)


def view_at(
    storage: Codes, offset: int, dtype: DTypeLike, shape: tuple[int, ...]
) -> NDArray[np.generic]:
    """Return the array that starts at a byte offset of a uint8 storage, without copying it.

    An offset that the element size does not divide cannot be viewed; then it is a copy.
    """
    dtype = np.dtype(dtype)
    raw = storage[offset : offset + prod(shape) * dtype.itemsize]
    if offset % dtype.itemsize:
        raw = raw.copy()
    return raw.view(dtype).reshape(shape)
