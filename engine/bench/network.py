"""A network of a published shape in memory, for measuring kernels: its weights mean nothing."""

import numpy as np

from sterna.engine.kernels import Floats, Int8Table, PackedTernary, narrow
from sterna.engine.kernels.int8_table import int8_codes_shape
from sterna.engine.kernels.packing import codes_shape
from sterna.engine.model.config import ModelConfig
from sterna.engine.model.families.registry import model_tensors
from sterna.engine.model.tensors import Layer, Matrix
from sterna.engine.model.weights import LayerWeights, ModelWeights

_CODES_OF_ZERO = 121  # five codes of 1


def make_weights(config: ModelConfig) -> ModelWeights:
    """Fill weights of this shape: every ternary weight is 0, so activations stay finite."""
    tensors = model_tensors(config)
    embedding = np.full(tensors.embedding.shape, narrow(np.full(1, 0.01, np.float32)), np.uint16)
    return ModelWeights(
        config=config,
        tensors=tensors,
        embedding=embedding,
        head=embedding,
        int8_head=_int8_table(*tensors.embedding.shape),
        norm=_ones(tensors.norm.size),
        layers=tuple(_layer(layer) for layer in tensors.layers),
    )


def _int8_table(rows: int, width: int) -> Int8Table:
    zeros = np.zeros(rows, np.float32)  # no errors: one candidate
    return Int8Table(
        codes=np.full(int8_codes_shape(rows, width), 1, np.int8),
        scales=np.linspace(0.01, 0.02, rows, dtype=np.float32),
        sums=np.full(rows, width, np.int32),
        residual_norms=zeros,
        norms=zeros,
    )


def _layer(layer: Layer) -> LayerWeights:
    return LayerWeights(
        norms={vector.name: _ones(vector.size) for vector in layer.vectors},
        matrices={matrix.name: _matrix(matrix) for matrix in layer.matrices},
    )


def _matrix(matrix: Matrix) -> PackedTernary:
    codes = np.full(codes_shape(matrix.outputs, matrix.inputs), _CODES_OF_ZERO, np.uint8)
    return PackedTernary(codes, _ones(matrix.outputs), matrix.outputs, matrix.inputs)


def _ones(size: int) -> Floats:
    return np.ones(size, np.float32)
