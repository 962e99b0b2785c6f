"""What is packed from a checkpoint: the arrays of the packed cache, their making, the way back.

Ternary matrices are fused and packed, norms become float32, and the head gets a table in int8.
Embedding and head stay where they are: bfloat16 and float32 are mapped from the checkpoint's own
file, float16 is kept as float32.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, cast

import numpy as np

from sterna.engine.kernels import Floats, PackedTernary, Table, pack_ternary, widen
from sterna.engine.kernels.int8_table import (
    INT8_PARTS,
    Int8Table,
    int8_codes_shape,
    pack_int8_table,
)
from sterna.engine.kernels.packing import codes_shape
from sterna.engine.model.config import ModelConfig
from sterna.engine.model.packed_cache import Array, ArrayShape, Store
from sterna.engine.model.sources.source import Source
from sterna.engine.model.tensors import Layer, Matrix, ModelTensors, Vector, VocabTable
from sterna.engine.model.weights import LayerWeights, ModelWeights
from sterna.engine.progress import Progress

"""Told what is going on, how much of it is done, and how much there is in all."""

_MAPPED_DTYPES: Final = (np.uint16, np.float32)
_PACKING: Final = "Packing weights"


@dataclass(frozen=True, slots=True)
class Packing:
    """Packs one model."""

    config: ModelConfig
    tensors: ModelTensors
    source: Source

    def shapes(self) -> dict[str, ArrayShape]:
        """Return the arrays of the packed cache: name -> dtype and shape."""
        shapes: dict[str, ArrayShape] = {}
        for index, layer in enumerate(self.tensors.layers):
            for vector in layer.vectors:
                shapes[f"{index}.{vector.name}"] = "float32", (vector.size,)
            for matrix in layer.matrices:
                codes = codes_shape(matrix.outputs, matrix.inputs)
                shapes[f"{index}.{matrix.name}.codes"] = "uint8", codes
                shapes[f"{index}.{matrix.name}.row_scales"] = "float32", (matrix.outputs,)
        shapes["norm"] = "float32", (self.tensors.norm.size,)
        rows, width = self._head.shape
        shapes["int8_head.codes"] = "int8", int8_codes_shape(rows, width)
        for name in INT8_PARTS[1:]:
            shapes[f"int8_head.{name}"] = "int32" if name == "sums" else "float32", (rows,)
        for table in self._widened():
            shapes[table.tensor] = "float32", table.shape
        return shapes

    def fill(self, store: Store, progress: Progress) -> None:
        """Make and store all arrays of ``shapes``, one matrix in memory at a time."""
        self.source.check_values(self.tensors)
        num_layers = len(self.tensors.layers)
        for index, layer in enumerate(self.tensors.layers):
            progress(_PACKING, index, num_layers)
            for vector in layer.vectors:
                store(f"{index}.{vector.name}", self._norm(vector))
            for matrix in layer.matrices:
                codes, row_scales = self._pack(matrix)
                store(f"{index}.{matrix.name}.codes", codes)
                store(f"{index}.{matrix.name}.row_scales", row_scales)
        store("norm", self._norm(self.tensors.norm))
        table = pack_int8_table(_as_table(self.source.floats(self._head.tensor)))
        for name in INT8_PARTS:
            store(f"int8_head.{name}", getattr(table, name))
        for widened in self._widened():
            store(widened.tensor, widen(self.source.floats(widened.tensor)))
        progress(_PACKING, num_layers, num_layers)

    def assemble(self, arrays: dict[str, Array]) -> ModelWeights:
        """Return the weights from the packed arrays and the checkpoint's own."""
        embedding = self._vocab(self.tensors.embedding, arrays)
        head = self.tensors.head
        return ModelWeights(
            config=self.config,
            tensors=self.tensors,
            embedding=embedding,
            head=embedding if head is None else self._vocab(head, arrays),
            int8_head=Int8Table(*(arrays[f"int8_head.{name}"] for name in INT8_PARTS)),
            norm=arrays["norm"],
            layers=tuple(
                _layer(index, layer, arrays) for index, layer in enumerate(self.tensors.layers)
            ),
        )

    def _pack(self, matrix: Matrix) -> tuple[Array, Floats]:
        """Return codes and row scales of one fused matrix."""
        parts = [self.source.ternary(part, matrix.inputs) for part in matrix.parts]
        scales = [np.full(len(weights), scale, np.float32) for weights, scale in parts]
        codes = pack_ternary(np.concatenate([weights for weights, _ in parts]))
        return codes, np.concatenate(scales)

    def _norm(self, vector: Vector) -> Floats:
        norm = widen(self.source.floats(vector.tensor))
        if not np.isfinite(norm).all():
            raise self.source.error(vector.tensor, "values that are not finite", "finite values")
        return norm

    @property
    def _head(self) -> VocabTable:
        return self.tensors.head or self.tensors.embedding

    def _widened(self) -> Iterator[VocabTable]:
        """Yield which of embedding and head cannot be used as they are on disk."""
        for table in self.tensors.tables:
            if self.source.floats(table.tensor).dtype not in _MAPPED_DTYPES:
                yield table

    def _vocab(self, table: VocabTable, arrays: dict[str, Array]) -> Table:
        return arrays.get(table.tensor, _as_table(self.source.floats(table.tensor)))


def _layer(index: int, layer: Layer, arrays: dict[str, Array]) -> LayerWeights:
    def packed(matrix: Matrix) -> PackedTernary:
        codes, scales = (
            arrays[f"{index}.{matrix.name}.{part}"] for part in ("codes", "row_scales")
        )
        return PackedTernary(codes, scales, matrix.outputs, matrix.inputs)

    return LayerWeights(
        norms={vector.name: arrays[f"{index}.{vector.name}"] for vector in layer.vectors},
        matrices={matrix.name: packed(matrix) for matrix in layer.matrices},
    )


def _as_table(array: Array) -> Table:
    return cast(Table, array)
