"""The packed weights of one checkpoint in one file, written once and memory-mapped afterwards.

    header    one line of JSON: format, where each tensor is, fingerprint of the source; padded
    tensors   each at a multiple of 64 bytes, in the order of the header

The header follows from the checkpoint and the layout, so a file is good if it starts with just
the bytes that we would write and has just the size we would give it. A changed checkpoint, another
format and a damaged header all show as a difference. The file appears under its name only when
every byte of it is on disk, so an interrupted write leaves at most a temporary file.
"""

import json
import logging
import os
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from sterna.engine.kernels import Codes
from sterna.engine.model.sources.mapped_file import map_file, view_at

logger = logging.getLogger(__name__)

FORMAT: Final = "sterna packed weights 4"  # count up when the order of bytes or codes changes
_ALIGNMENT: Final = 64
_ABANDONED_SECONDS: Final = 3600.0  # a temporary file that nobody has written to for so long

Array = NDArray[Any]
ArrayShape = tuple[str, tuple[int, ...]]
"""The name of a dtype, and a shape."""
Store = Callable[[str, Array], None]
"""Takes one array of the layout by its name, of any shape with the same bytes."""
Fill = Callable[[Store], None]
"""Makes all arrays of a layout and stores each once."""


@dataclass(frozen=True, slots=True)
class _Place:
    dtype: str
    shape: tuple[int, ...]
    offset: int

    @property
    def num_bytes(self) -> int:
        return prod(self.shape) * np.dtype(self.dtype).itemsize


class PackedCache:
    """The arrays of one checkpoint, packed; ``arrays`` gets them from the file or makes them.

    file: where they are kept. source: fingerprint of the checkpoint, as JSON values.
    """

    def __init__(self, file: Path, source: object, shapes: Mapping[str, ArrayShape]) -> None:
        self.file = file
        self._places, self._data_bytes = _arrange(shapes)
        self._header = _header(source, self._places)
        self.num_bytes = len(self._header) + self._data_bytes

    def arrays(self, fill: Fill) -> dict[str, Array]:
        """Return all arrays by name, mapped from the file; write the file first where needed.

        Where it cannot be written they are made in memory, and a warning says so.
        """
        mapped = self._map()
        if mapped is None:
            try:
                self._write(fill)
                mapped = self._map()
            except OSError as error:
                logger.warning(
                    "packed weights could not be cached: %s: %s", self.file, error.strerror or error
                )
        if mapped is None:
            return self._make_in_memory(fill)
        return mapped

    def _map(self) -> dict[str, Array] | None:
        """Return the arrays of the file, or None where there is no such file or not this one."""
        try:
            if self.file.stat().st_size != self.num_bytes:
                return None
            storage = map_file(self.file, self.num_bytes)
        except (OSError, ValueError):  # absent, unreadable, or just cut short
            return None
        if storage[: len(self._header)].tobytes() != self._header:
            return None
        return self._views(storage[len(self._header) :])

    def _views(self, data: Codes) -> dict[str, Array]:
        return {
            name: view_at(data, place.offset, place.dtype, place.shape)
            for name, place in self._places.items()
        }

    def _make_in_memory(self, fill: Fill) -> dict[str, Array]:
        views = self._views(_aligned_memory(self._data_bytes))

        def store(name: str, array: Array) -> None:
            views[name][...] = array.reshape(views[name].shape)

        fill(store)
        return views

    def _write(self, fill: Fill) -> None:
        """Write the whole file under a name of its own, then give it its true name."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self._remove_abandoned()
        temporary = self.file.with_name(f"{self.file.name}.{secrets.token_hex(8)}.tmp")
        try:
            with temporary.open("xb") as output:
                self._write_arrays(output, fill)
                output.flush()
                os.fsync(output.fileno())
            temporary.replace(self.file)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(self.file.parent)
        logger.info("packed weights written to %s", self.file)

    def _write_arrays(self, output: BinaryIO, fill: Fill) -> None:
        output.truncate(self.num_bytes)
        output.write(self._header)

        def store(name: str, array: Array) -> None:
            output.seek(len(self._header) + self._places[name].offset)
            output.write(np.ascontiguousarray(array).data)

        fill(store)

    def _remove_abandoned(self) -> None:
        """Remove what writers left that were killed; a living one writes all the time."""
        for path in self.file.parent.iterdir():
            if path.name.startswith(f"{self.file.name}.") and path.suffix == ".tmp":
                with suppress(FileNotFoundError):  # its writer has just finished
                    if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                        path.unlink()


def _arrange(shapes: Mapping[str, ArrayShape]) -> tuple[dict[str, _Place], int]:
    """Return the place of each tensor in the data, and the size of the data."""
    places: dict[str, _Place] = {}
    offset = 0
    for name, (dtype, shape) in shapes.items():
        places[name] = _Place(dtype, shape, offset)
        offset = _aligned(offset + places[name].num_bytes)
    return places, offset


def _header(source: object, places: Mapping[str, _Place]) -> bytes:
    tensors = {name: [place.dtype, place.shape, place.offset] for name, place in places.items()}
    fields = {"format": FORMAT, "source": source, "tensors": tensors}
    text = json.dumps(fields).encode() + b"\n"
    return text.ljust(_aligned(len(text)))


def _aligned(num_bytes: int) -> int:
    return -(-num_bytes // _ALIGNMENT) * _ALIGNMENT


def _aligned_memory(num_bytes: int) -> Codes:
    memory = np.empty(num_bytes + _ALIGNMENT, np.uint8)
    return memory[-memory.ctypes.data % _ALIGNMENT :][:num_bytes]


def _sync_folder(folder: Path) -> None:
    """Make a new name in a folder outlast a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
