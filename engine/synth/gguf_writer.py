"""Writes a GGUF file of version 3, tensor by tensor: its header needs only their sizes."""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

_ALIGNMENT: Final = 32
_WRITING: Final = "Writing weights"


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """A tensor to write. shape: rows first. chunks: makes the bytes, in order."""

    name: str
    type_id: int
    shape: tuple[int, ...]
    num_bytes: int
    chunks: Callable[[], Iterator[bytes]]


def write_gguf(
    file: Path,
    keys: Mapping[str, Any],
    tensors: Sequence[GgufTensor],
    progress: Callable[[str, int, int], None],
) -> None:
    """Write keys (integers as u32, numbers as f32, text, and lists of them) and tensors."""
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    header += b"".join(_text(name) + _value(value) for name, value in keys.items())
    offset = 0
    for tensor in tensors:
        header += _text(tensor.name) + struct.pack("<I", len(tensor.shape))
        header += struct.pack(f"<{len(tensor.shape)}Q", *reversed(tensor.shape))
        header += struct.pack("<IQ", tensor.type_id, offset)
        offset += _aligned(tensor.num_bytes)
    with file.open("wb") as output:
        output.write(header.ljust(_aligned(len(header)), b"\0"))
        _write_data(output, tensors, offset, progress)


def _write_data(
    output: BinaryIO,
    tensors: Sequence[GgufTensor],
    total: int,
    progress: Callable[[str, int, int], None],
) -> None:
    written = 0
    for tensor in tensors:
        for chunk in tensor.chunks():
            progress(_WRITING, written, total)
            output.write(chunk)
            written += len(chunk)
        padding = _aligned(tensor.num_bytes) - tensor.num_bytes
        output.write(bytes(padding))
        written += padding
    progress(_WRITING, total, total)


def _value(value: object) -> bytes:
    """Return a value with its type before it."""
    if isinstance(value, list):
        items = [_value(item) for item in value]
        kind = items[0][:4] if items else struct.pack("<I", 4)
        return (
            struct.pack("<I", 9)
            + kind
            + struct.pack("<Q", len(items))
            + b"".join(item[4:] for item in items)
        )
    match value:
        case bool():
            return struct.pack("<I?", 7, value)
        case int():
            return struct.pack("<II", 4, value) if value >= 0 else struct.pack("<Ii", 5, value)
        case float():
            return struct.pack("<If", 6, value)
        case _:
            return struct.pack("<I", 8) + _text(str(value))


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _aligned(num_bytes: int) -> int:
    return -(-num_bytes // _ALIGNMENT) * _ALIGNMENT
