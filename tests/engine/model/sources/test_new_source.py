"""A new kind of source is one file and one line in the registry: this one is invented.

One .npz file holds the configuration as JSON, and the weights as plain int8 and float32.
"""

import json
import zipfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.torch import load_file

from sterna.engine.errors import CheckpointError
from sterna.engine.kernels import widen
from sterna.engine.model.load import load_weights, read_model_config
from sterna.engine.model.sources import registry
from sterna.engine.model.sources.folder import Folder
from sterna.engine.model.sources.json_object import JsonObject
from sterna.engine.model.sources.source import Fingerprint
from sterna.engine.model.tensors import ModelTensors, Part
from tests.engine.model.editable import EditableCheckpoint


class Npz:
    """The new file; see ``Source``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def opens(cls, path: Path) -> bool:
        return zipfile.is_zipfile(path)

    def config(self) -> JsonObject:
        return JsonObject(str(self.path), json.loads(str(np.load(self.path)["config"])))

    def generation_config(self) -> None:
        return None

    def fingerprint(self) -> Fingerprint:
        return [[sha256(self.path.read_bytes()).hexdigest()]]

    def check(self, tensors: ModelTensors) -> None:
        held = np.load(self.path).files
        for vector in tensors.vectors:
            if vector.tensor not in held:
                raise self.error(vector.tensor, "nothing", f"{vector.size} floats")

    def check_values(self, tensors: ModelTensors) -> None:
        pass

    def floats(self, tensor: str) -> NDArray[np.generic]:
        array: NDArray[np.generic] = np.load(self.path)[tensor]
        return array

    def ternary(self, part: Part, inputs: int) -> tuple[NDArray[np.int8], float]:
        arrays = np.load(self.path)
        return arrays[part.tensor], float(arrays[f"{part.tensor}_scale"])

    def error(self, tensor: str, found: object, expected: object) -> CheckpointError:
        return CheckpointError(f"{self.path}: {tensor}: found {found}, expected {expected}")


def as_npz(checkpoint: EditableCheckpoint, file: Path, without: str = "") -> Path:
    """Write the same model in the other form."""
    folder, arrays = Folder(checkpoint.folder), {"config": np.array(json.dumps(checkpoint.config))}
    for name, tensor in load_file(checkpoint.weights_file).items():
        if name.endswith("_proj.weight"):
            part = Part(name, 4 * len(tensor))
            arrays[name], scale = folder.ternary(part, tensor.shape[1])
            arrays[f"{name}_scale"] = np.array(scale)
        elif not name.endswith("_scale") and name != without:
            arrays[name] = widen(folder.floats(name))
    np.savez(file, allow_pickle=False, **arrays)
    return file


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "SOURCES", (Npz, *registry.SOURCES))  # the one line


def test_loads_the_same_model(checkpoint: EditableCheckpoint, tmp_path: Path) -> None:
    file = as_npz(checkpoint, tmp_path / "model.npz")
    assert read_model_config(file).num_layers == 2
    ours, expected = (load_weights(path, tmp_path / "cache") for path in (file, checkpoint.folder))
    assert np.array_equal(ours.embedding, widen(expected.embedding))
    for layer, other in zip(ours.layers, expected.layers, strict=True):
        for name, matrix in layer.matrices.items():
            assert np.array_equal(matrix.codes, other.matrices[name].codes)
            assert np.array_equal(matrix.row_scales, other.matrices[name].row_scales)


def test_its_complaints_are_its_own(checkpoint: EditableCheckpoint, tmp_path: Path) -> None:
    file = as_npz(checkpoint, tmp_path / "model.npz", without="model.norm.weight")
    with pytest.raises(CheckpointError, match=r"model.npz: model.norm.weight: found nothing"):
        load_weights(file, tmp_path / "cache")


def test_what_no_source_opens_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"?")
    with pytest.raises(CheckpointError, match=r"model.onnx: found no folder, expected one with"):
        load_weights(tmp_path / "model.onnx", tmp_path / "cache")
