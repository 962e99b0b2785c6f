"""Writes a safetensors file chunk by chunk: its header needs only the sizes of the tensors."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sterna.engine.progress import Progress

_WRITING: Final = "Writing weights"


@dataclass(frozen=True, slots=True)
class WrittenTensor:
    """A tensor to write. type_name: as safetensors has it. chunks: makes the bytes, in order."""

    name: str
    type_name: str
    shape: tuple[int, ...]
    num_bytes: int
    chunks: Callable[[], Iterator[bytes]]


def write_safetensors(file: Path, tensors: Sequence[WrittenTensor], progress: Progress) -> None:
    """Write the tensors in the order given. ``progress`` is told of bytes written and in all."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    position = 0
    for tensor in tensors:
        end = position + tensor.num_bytes
        header[tensor.name] = {
            "dtype": tensor.type_name,
            "shape": tensor.shape,
            "data_offsets": [position, end],
        }
        position = end
    text = json.dumps(header).encode()
    text = text.ljust(-(-len(text) // 8) * 8)
    total, written = position, 0
    with file.open("wb") as output:
        output.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors:
            for chunk in tensor.chunks():
                progress(_WRITING, written, total)
                output.write(chunk)
                written += len(chunk)
    progress(_WRITING, total, total)
