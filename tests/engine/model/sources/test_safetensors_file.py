"""Tensors read as the safetensors library reads them; a malformed file says where it is wrong."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from sterna.engine.errors import CheckpointError
from sterna.engine.model.sources.safetensors_file import SafetensorsFile

DTYPES = (
    torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16,
    torch.bfloat16, torch.float32, torch.float64,
)  # fmt: skip


def write(path: Path, header: object, data: bytes = b"") -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def entry(dtype: str, shape: list[Any], begin: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def test_reads_what_the_library_wrote(tmp_path: Path) -> None:
    tensors = {str(dtype): torch.arange(6).view(2, 3).to(dtype) for dtype in DTYPES}
    tensors |= {"scalar": torch.tensor(5.0), "empty": torch.empty(0, 3)}
    save_file(tensors, tmp_path / "a.safetensors", metadata={"format": "pt"})
    file = SafetensorsFile(tmp_path / "a.safetensors")
    assert file.tensors.keys() == tensors.keys()
    for name, tensor in tensors.items():
        is_bfloat16 = tensor.dtype == torch.bfloat16  # read as its bits
        expected = tensor.view(torch.uint16) if is_bfloat16 else tensor
        assert file.tensors[name].dtype == file.read(name).dtype == expected.numpy().dtype
        assert np.array_equal(file.read(name), expected.numpy())


def test_unaligned_data_is_copied(tmp_path: Path) -> None:
    data = np.array([1.5, -2.5], np.float32)
    header = json.dumps({"a": entry("F32", [2], 0, 8)}).encode()
    header += b" " * (-(8 + len(header)) % 4 + 1)
    path = write(tmp_path / "a", header, data.tobytes())
    assert np.array_equal(SafetensorsFile(path).read("a"), data)


def test_a_tensor_cannot_be_written_to(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(4)}, tmp_path / "a")
    with pytest.raises(ValueError, match="read-only"):
        SafetensorsFile(tmp_path / "a").read("a").fill(1.0)


@pytest.mark.parametrize(("num_bytes", "changed"), [(2**20, slice(-1, None)), (2**25, slice(None))])
def test_digest_tells_data_apart(tmp_path: Path, num_bytes: int, changed: slice) -> None:
    """Size and header agree: of a small file every byte counts, of a large one samples do."""
    tensor = torch.zeros(num_bytes, dtype=torch.uint8)
    save_file({"a": tensor}, tmp_path / "a")
    tensor[changed] = 1
    save_file({"a": tensor}, tmp_path / "b")
    assert SafetensorsFile(tmp_path / "a").digest() != SafetensorsFile(tmp_path / "b").digest()


@pytest.mark.parametrize(
    ("header", "data", "parts"),
    [
        (b"{", b"", ["header", "JSON"]),
        (b"[]", b"", ["header", "[]", "a JSON object"]),
        ({"a": 5}, b"", ["tensor a", "5", "dtype"]),
        ({"a": {"dtype": "F32"}}, b"", ["tensor a", "F32", "a shape"]),
        ({"a": entry("F8", [1], 0, 1)}, b"x", ["tensor a", "F8", "a known dtype"]),
        ({"a": entry("U8", [-1], 0, 1)}, b"x", ["tensor a", "[-1]", "a shape"]),
        ({"a": entry("U8", [1.0], 0, 1)}, b"x", ["tensor a", "[1.0]", "a shape"]),
        (
            {"a": entry("F32", [2, 3], 0, 20)},
            b"x" * 20,
            ["tensor a", "20 bytes", "24 for F32 [2, 3]"],
        ),
        ({"a": entry("U8", [2**62, 8], 0, 1)}, b"x", ["tensor a", "1 bytes", str(2**65)]),
        ({"a": entry("U8", [9], 0, 9)}, b"x" * 5, ["tensor a", "truncated"]),
        ({"a": entry("U8", [4], 1, 5)}, b"x" * 5, ["tensor a", "data at byte"]),
        (
            {"a": entry("U8", [4], 0, 4), "b": entry("U8", [4], 2, 6)},
            b"x" * 6,
            ["tensor b", "data at byte"],
        ),
        ({"a": entry("U8", [4], 0, 4)}, b"x" * 5, ["data", "in the file"]),
    ],
)
def test_malformed(tmp_path: Path, header: object, data: bytes, parts: list[str]) -> None:
    path = write(tmp_path / "a.safetensors", header, data)
    with pytest.raises(CheckpointError) as caught:
        SafetensorsFile(path)
    message = str(caught.value)
    for part in [str(path), "found", "expected", *parts]:
        assert part in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "data", [b"", b"\x08\x00\x00", b"\xff" * 16, b"\x10" + b"\x00" * 7 + b"{}"]
)
def test_too_short_for_its_header(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="expected a complete safetensors header"):
        SafetensorsFile(path)


def test_absent(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="absent: cannot be read: No such file"):
        SafetensorsFile(tmp_path / "absent")
