"""A network of a published shape in memory, for measuring kernels: its weights mean nothing."""

import numpy as np

from sterna.engine.kernels import Floats, Int8Table, PackedTernary, Table, narrow
from sterna.engine.kernels.int8_table import int8_codes_shape
from sterna.engine.kernels.packing import BLOCK_ROWS, codes_shape
from sterna.engine.model.config import ModelConfig
from sterna.engine.model.families.registry import model_tensors
from sterna.engine.model.tensors import Layer, Matrix, VocabTable
from sterna.engine.model.weights import LayerWeights, ModelWeights

_CODES_OF_ZERO = 121  # five codes of 1


def make_weights(config: ModelConfig) -> ModelWeights:
    """Fill weights of this shape: every ternary weight is 0, so activations stay finite."""
    tensors = model_tensors(config)
    embedding = _table(tensors.embedding)
    head = embedding if tensors.head is None else _table(tensors.head)
    is_ternary = isinstance(head, PackedTernary)
    return ModelWeights(
        config=config,
        tensors=tensors,
        embedding=embedding,
        head=head,
        int8_head=None if is_ternary else _int8_table(config.vocab_size, config.hidden_size),
        norm=_ones(tensors.norm.size),
        layers=tuple(_layer(layer) for layer in tensors.layers),
    )


def _table(table: VocabTable | Matrix) -> Table | PackedTernary:
    if isinstance(table, Matrix):
        return _matrix(table)
    return np.full(table.shape, narrow(np.full(1, 0.01, np.float32)), np.uint16)


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
    of_rows, of_groups = _ones(matrix.outputs), None
    if matrix.group is not None:
        of_groups = np.ones((len(codes), matrix.num_groups, BLOCK_ROWS), np.float16)
    return PackedTernary(codes, of_rows, matrix.outputs, matrix.inputs, of_groups, matrix.group)


def _ones(size: int) -> Floats:
    return np.ones(size, np.float32)
