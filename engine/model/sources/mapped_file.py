"""Bytes of a file as a tensor, read from disk only where they are touched."""

from math import prod
from pathlib import Path

import torch
from torch import Tensor


def map_file(file: Path, num_bytes: int) -> Tensor:
    """Map the first ``num_bytes`` (> 0) of a file: uint8 [num_bytes].

    The mapping is private: nothing done to the tensor reaches the file. Pages are shared with
    every other process that maps it. A file that shrinks while it is mapped kills the process on
    access, so whoever replaces one must rename a new file over it.
    """
    return torch.from_file(str(file), shared=False, size=num_bytes, dtype=torch.uint8)


def view_at(storage: Tensor, offset: int, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
    """Return the tensor that starts at a byte offset of a uint8 storage, without copying it.

    An offset that the element size does not divide cannot be viewed; then it is a copy.
    """
    num_bytes = prod(shape) * dtype.itemsize
    raw = storage[offset : offset + num_bytes]
    if offset % dtype.itemsize:
        raw = raw.clone()
    return raw.view(dtype).view(shape)
