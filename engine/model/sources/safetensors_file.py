"""One safetensors file: its header, checked, and its tensors, memory-mapped.

A file is an 8-byte little-endian length, a JSON header of that length, then the data::

    {"name": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [begin, end]}, "__metadata__": {}}

Offsets count from the end of the header; the tensors fill the data without gap or overlap.
"""

import os
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sterna.engine.errors import CheckpointError
from sterna.engine.kernels import Codes
from sterna.engine.model.sources.json_object import one_line, parse_object, shown
from sterna.engine.model.sources.mapped_file import map_file, view_at
from sterna.engine.model.sources.regular_file import open_regular

_MAX_HEADER_BYTES: Final = 100_000_000  # as the safetensors library has it
_DTYPES: Final = {
    "BOOL": np.dtype(np.bool_), "U8": np.dtype(np.uint8), "I8": np.dtype(np.int8),
    "I16": np.dtype(np.int16), "I32": np.dtype(np.int32), "I64": np.dtype(np.int64),
    "F16": np.dtype(np.float16), "BF16": np.dtype(np.uint16),  # its bits: numpy has no such type
    "F32": np.dtype(np.float32), "F64": np.dtype(np.float64),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """What a header says about one tensor. begin: byte offset in the file."""

    type_name: str
    shape: tuple[int, ...]
    begin: int

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The type in numpy."""
        return _DTYPES[self.type_name]

    @property
    def num_bytes(self) -> int:
        """Size of the tensor's data."""
        return prod(self.shape) * self.dtype.itemsize

    def __str__(self) -> str:
        return described(self.type_name, self.shape)


def described(type_name: str, shape: tuple[int, ...]) -> str:
    """Return type and shape as messages show them, like ``BF16 [2, 3]``."""
    return f"{type_name} {list(shape)}"


class SafetensorsFile:
    """An open file; raises CheckpointError on opening one that is cut short or malformed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        header, data_begin, self.num_bytes = _read_header(path)
        self.tensors = _parse_header(path, header, data_begin)
        _check_extent(path, self.tensors, data_begin, self.num_bytes)

    def read(self, name: str) -> NDArray[np.generic]:
        """Return a tensor as it is on disk: a read-only view of the mapped file.

        bfloat16 comes as its bits, uint16.
        """
        info = self.tensors[name]
        if info.num_bytes == 0:
            return np.empty(info.shape, info.dtype)
        return view_at(self._storage, info.begin, info.dtype, info.shape)

    @cached_property
    def _storage(self) -> Codes:
        return map_file(self.path, self.num_bytes)


def _read_header(path: Path) -> tuple[bytes, int, int]:
    """Return the header's bytes, where the data begins, and the size of the file."""
    try:
        with open_regular(path) as file:
            num_bytes = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            header_fits = num_bytes >= 8 and length <= min(_MAX_HEADER_BYTES, num_bytes - 8)
            header = file.read(length) if header_fits else b""
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
    if not header_fits:
        raise CheckpointError(
            f"{path}: header: found {num_bytes} bytes in the file and a header length of {length}, "
            "expected a complete safetensors header"
        )
    return header, 8 + length, num_bytes


def _parse_header(path: Path, header: bytes, data_begin: int) -> dict[str, TensorInfo]:
    try:
        entries = parse_object(header)
    except ValueError as error:
        raise CheckpointError(
            f"{path}: header: found {one_line(error)}, expected a JSON object"
        ) from error
    entries.pop("__metadata__", None)
    return {name: _parse_entry(path, name, entry, data_begin) for name, entry in entries.items()}


def _parse_entry(path: Path, name: str, entry: object, data_begin: int) -> TensorInfo:
    """Check one entry of the header; its offsets must hold just the elements of its shape."""
    try:
        if not isinstance(entry, dict):
            raise TypeError(entry)
        type_name = entry["dtype"]
        if type_name not in _DTYPES:
            raise ValueError(type_name)
        shape = tuple(_natural(size) for size in entry["shape"])
        begin, end = (_natural(offset) for offset in entry["data_offsets"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path}: tensor {name}: found header entry {shown(entry)}, expected a known dtype, "
            "a shape and two data_offsets"
        ) from error
    info = TensorInfo(type_name, shape, data_begin + begin)
    if end - begin != info.num_bytes:
        raise CheckpointError(
            f"{path}: tensor {name}: found {end - begin} bytes of data, expected "
            f"{info.num_bytes} for {info}"
        )
    return info


def _natural(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(value)
    return value


def _check_extent(
    path: Path, tensors: dict[str, TensorInfo], data_begin: int, num_bytes: int
) -> None:
    """Check that the tensors fill the file from the end of the header to its own end."""
    position = data_begin
    for name, info in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].num_bytes)):
        if info.begin != position:
            raise CheckpointError(
                f"{path}: tensor {name}: found data at byte {info.begin}, expected it at "
                f"{position}, where the tensor before it ends"
            )
        position += info.num_bytes
        if position > num_bytes:
            raise CheckpointError(
                f"{path}: tensor {name}: found a truncated file of {num_bytes} bytes, expected "
                f"its data to end at {position}"
            )
    if position != num_bytes:
        raise CheckpointError(
            f"{path}: data: found {num_bytes} bytes in the file, expected {position}"
        )
