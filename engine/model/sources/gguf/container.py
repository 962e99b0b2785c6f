"""One GGUF file: its keys and the places of its tensors, checked; versions 2 and 3, little-endian.

    "GGUF", u32 version, u64 tensors, u64 keys, the keys, the tensors' headers, padding, data

A key is a string, a u32 type and a value; a string is a u64 length and bytes. A tensor's header is
its name, u32 dimensions, u64 sizes with the width first, u32 type and u64 offset into the data.
The type decides how many bytes a tensor has, so that is checked where types are known.
"""

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Final

from sterna.engine.errors import CheckpointError
from sterna.engine.kernels import Codes
from sterna.engine.model.sources.json_object import shown
from sterna.engine.model.sources.mapped_file import map_file
from sterna.engine.model.sources.regular_file import open_regular

MAGIC: Final = b"GGUF"
_VERSIONS: Final = (2, 3)
_MAX_COUNT: Final = 1 << 20  # of tensors, and of keys: far above any model's
_MAX_DIMENSIONS: Final = 4
_MAX_NAME_BYTES: Final = 256
_DEFAULT_ALIGNMENT: Final = 32
_STRING, _ARRAY, _BOOL = 8, 9, 7
_NUMBERS: Final = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", _BOOL: "?", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TensorHeader:
    """What a file says of one tensor.

    shape: rows first, [N, K] for a matrix. data: all bytes up to the next tensor's, of which fewer
    than ``alignment`` may be padding.
    """

    type_id: int
    shape: tuple[int, ...]
    data: Codes
    alignment: int

    @property
    def num_elements(self) -> int:
        """Elements of the tensor."""
        return prod(self.shape)

    def holds(self, num_bytes: int) -> bool:
        """Tell whether the data may be that long: types can share a number, but not a size."""
        return num_bytes <= len(self.data) < num_bytes + self.alignment


class GgufContainer:
    """An opened file. Raises CheckpointError for one that is cut short or malformed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        reader = _Reader(path, *_mapped(path))
        num_tensors, num_keys = reader.counts()
        self.keys: Mapping[str, Any] = reader.keys(num_keys)
        self.tensors: Mapping[str, TensorHeader] = reader.tensors(num_tensors, self._alignment)

    @property
    def _alignment(self) -> int:
        alignment = self.keys.get("general.alignment", _DEFAULT_ALIGNMENT)
        if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1):
            raise CheckpointError(
                f"{self.path}: general.alignment: found {shown(alignment)}, expected a power of two"
            )
        return alignment


def _mapped(path: Path) -> tuple[Codes, int]:
    try:
        with open_regular(path) as file:
            num_bytes = os.fstat(file.fileno()).st_size
        if num_bytes < len(MAGIC):
            raise CheckpointError(f"{path}: found {num_bytes} bytes, expected a GGUF file")
        return map_file(path, num_bytes), num_bytes
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error


class _Reader:
    """Reads the header from front to back; every length is checked before it is used."""

    def __init__(self, path: Path, data: Codes, num_bytes: int) -> None:
        self._path, self._data, self._num_bytes = path, data, num_bytes
        self._view: memoryview = data.data
        self._position = 0

    def counts(self) -> tuple[int, int]:
        """Read the first four fields: returns the numbers of tensors and of keys."""
        if bytes(self._take(4)) != MAGIC:
            raise self._error("the first four bytes", bytes(self._view[:4]), "GGUF")
        version = self._number("I")
        if version not in _VERSIONS:
            raise self._error("version", version, "2 or 3, little-endian")
        num_tensors, num_keys = self._number("Q"), self._number("Q")
        for what, count in (("tensors", num_tensors), ("keys", num_keys)):
            if count > _MAX_COUNT:
                raise self._error(f"number of {what}", count, f"at most {_MAX_COUNT}")
        return num_tensors, num_keys

    def keys(self, count: int) -> dict[str, Any]:
        """Read all keys."""
        keys: dict[str, Any] = {}
        for _ in range(count):
            name = self._string("the name of a key")
            if name in keys:
                raise self._error(f"key {shown(name)}", "it twice", "each key once")
            keys[name] = self._value(name, self._number("I"))
        return keys

    def tensors(self, count: int, alignment: int) -> dict[str, TensorHeader]:
        """Read all tensors' headers, and cut the data into the tensors' bytes."""
        places: dict[str, tuple[int, tuple[int, ...], int]] = {}
        for _ in range(count):
            name = self._string("the name of a tensor", _MAX_NAME_BYTES)
            if name in places:
                raise self._error(f"tensor {shown(name)}", "it twice", "each tensor once")
            places[name] = self._place(name, alignment)
        begin = -(-self._position // alignment) * alignment
        offsets = sorted({offset for *_, offset in places.values()})
        if len(offsets) != len(places):
            raise self._error("tensors", "two at one offset", "each at an offset of its own")
        ends = dict(zip(offsets, [*offsets[1:], self._num_bytes - begin], strict=False))
        headers = {}
        for name, (type_id, shape, offset) in places.items():
            if begin + ends[offset] > self._num_bytes or offset >= ends[offset]:
                raise self._error(
                    f"tensor {shown(name)}", f"the file cut short at {self._num_bytes} bytes",
                    f"its data from byte {begin + offset} on",
                )  # fmt: skip
            data = self._data[begin + offset : begin + ends[offset]]
            headers[name] = TensorHeader(type_id, shape, data, alignment)
        return headers

    def _place(self, name: str, alignment: int) -> tuple[int, tuple[int, ...], int]:
        num_dimensions = self._number("I")
        if not 1 <= num_dimensions <= _MAX_DIMENSIONS:
            raise self._error(f"tensor {shown(name)}", f"{num_dimensions} dimensions", "1 to 4")
        sizes = tuple(self._number("Q") for _ in range(num_dimensions))
        type_id, offset = self._number("I"), self._number("Q")
        if 0 in sizes or prod(sizes) > self._num_bytes * 64:  # of a bit each, and padding
            raise self._error(
                f"tensor {shown(name)}", f"sizes {list(sizes)}", "what fits into the file"
            )
        if offset % alignment:
            raise self._error(
                f"tensor {shown(name)}", f"offset {offset}", f"a multiple of {alignment}"
            )
        return type_id, sizes[::-1], offset

    def _value(self, key: str, type_id: int) -> Any:  # noqa: ANN401 (of eleven types)
        if type_id == _STRING:
            return self._string(f"key {shown(key)}")
        if type_id == _ARRAY:
            return self._array(key)
        if type_id not in _NUMBERS:
            raise self._error(f"key {shown(key)}", f"type {type_id}", "a known type")
        return self._number(_NUMBERS[type_id])

    def _array(self, key: str) -> list[Any]:
        type_id, count = self._number("I"), self._number("Q")
        if type_id == _STRING:
            self._check_length(f"key {shown(key)}", count * 8)
            return self._strings(f"key {shown(key)}", count)
        if type_id not in _NUMBERS:
            raise self._error(f"key {shown(key)}", f"an array of type {type_id}", "a plain array")
        size = struct.calcsize("<" + _NUMBERS[type_id])
        self._check_length(f"key {shown(key)}", count * size)
        return list(struct.unpack(f"<{count}{_NUMBERS[type_id]}", self._take(count * size)))

    def _strings(self, what: str, count: int) -> list[str]:
        """Read many at once: a vocabulary has a hundred thousand."""
        view, at, strings = self._view, self._position, []
        length_of = struct.Struct("<Q").unpack_from
        try:
            for _ in range(count):
                end = at + 8 + length_of(view, at)[0]
                strings.append(str(view[at + 8 : end], "utf-8"))
                at = end
        except (struct.error, UnicodeDecodeError) as error:
            raise self._error(what, f"strings that cannot be read ({error})", "text") from None
        if at > self._num_bytes:
            raise self._error(what, f"the file cut short at {self._num_bytes} bytes", "all of it")
        self._position = at
        return strings

    def _string(self, what: str, max_bytes: int | None = None) -> str:
        length = self._number("Q")
        if max_bytes is not None and length > max_bytes:
            raise self._error(what, f"{length} bytes", f"at most {max_bytes}")
        self._check_length(what, length)
        try:
            return bytes(self._take(length)).decode()
        except UnicodeDecodeError as error:
            raise self._error(what, f"bytes that are not UTF-8 ({error.reason})", "text") from None

    def _number(self, code: str) -> Any:  # noqa: ANN401 (int, float or bool, as the code says)
        return struct.unpack("<" + code, self._take(struct.calcsize("<" + code)))[0]

    def _take(self, count: int) -> memoryview:
        self._check_length("header", count)
        taken = self._view[self._position : self._position + count]
        self._position += count
        return taken

    def _check_length(self, what: str, count: int) -> None:
        if count > self._num_bytes - self._position:
            raise self._error(
                what, f"the file cut short at {self._num_bytes} bytes", f"{count} bytes more"
            )

    def _error(self, what: str, found: object, expected: str) -> CheckpointError:
        return CheckpointError(f"{self._path}: {what}: found {found}, expected {expected}")
