"""A checkpoint's folder as a GGUF file: the same configuration and weights in the other form."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sterna.engine.kernels import widen
from sterna.engine.model.families.registry import model_tensors
from sterna.engine.model.load import read_model_config
from sterna.engine.model.sources.folder import Folder
from sterna.engine.model.sources.gguf.keys import gguf_keys
from sterna.engine.model.sources.gguf.names import gguf_name
from sterna.engine.model.tensors import Matrix, ModelTensors
from sterna.engine.synth.gguf_blocks import ENCODINGS
from sterna.engine.synth.gguf_writer import GgufTensor, write_gguf

F32 = 0


def write_as_gguf(folder: Path, file: Path, arch: str, type_name: str, **keys: Any) -> Path:
    """Write all tensors; ternary ones as ``type_name``, the others as float32."""
    config = read_model_config(folder)
    tensors = list(_tensors(Folder(folder), model_tensors(config), type_name))
    write_gguf(file, gguf_keys(config, arch) | keys, tensors, lambda *_: None)
    return file


def _tensors(folder: Folder, tensors: ModelTensors, type_name: str) -> Iterator[GgufTensor]:
    for name in [table.tensor for table in tensors.tables]:
        yield written(gguf_name(name), F32, widen(folder.floats(name)))
    for vector in tensors.vectors:
        yield written(gguf_name(vector.tensor), F32, widen(folder.floats(vector.tensor)))
    for matrix in (matrix for layer in tensors.layers for matrix in layer.matrices):
        yield from _ternary(folder, matrix, type_name)


def _ternary(folder: Folder, matrix: Matrix, type_name: str) -> Iterator[GgufTensor]:
    encoding = ENCODINGS[type_name]
    for part in matrix.parts:
        ternary = folder.ternary(part, matrix.inputs)
        codes = (ternary.weights + 1).astype(np.uint8).reshape(-1, encoding.num_weights)
        scales = np.repeat(ternary.scales[:, 0], matrix.inputs // encoding.num_weights)
        data = encoding.encode(codes, scales)
        shape = (part.outputs, matrix.inputs)
        yield written(gguf_name(part.tensor), encoding.type_id, data, shape)


def written(
    name: str, type_id: int, data: NDArray[Any], shape: tuple[int, ...] | None = None
) -> GgufTensor:
    """Return a tensor to write, whose bytes are at hand."""
    shape = data.shape if shape is None else shape
    return GgufTensor(name, type_id, shape, data.nbytes, lambda: iter([data.tobytes()]))
