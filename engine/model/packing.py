"""What is packed from a checkpoint: the arrays of the packed cache, their making, the way back.

Ternary matrices are fused and packed, norms become float32, and the head gets a table in int8.
Embedding and head stay where they are: bfloat16 and float32 are mapped from the checkpoint's own
file, float16 is kept as float32.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from sterna.engine.kernels import Floats, PackedTernary, Table, pack_ternary, widen
from sterna.engine.kernels.int8_table import (
    INT8_PARTS,
    Int8Table,
    int8_codes_shape,
    pack_int8_table,
)
from sterna.engine.kernels.packing import BLOCK_ROWS, codes_shape
from sterna.engine.model.config import ModelConfig
from sterna.engine.model.packed_cache import Array, ArrayShape, Store
from sterna.engine.model.scales import fit_scales, join_scales
from sterna.engine.model.sources.source import Source, TernaryTensor
from sterna.engine.model.tensors import Layer, Matrix, ModelTensors, Vector, VocabTable
from sterna.engine.model.weights import LayerWeights, ModelWeights
from sterna.engine.progress import Progress

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
                for name, shape in _matrix_shapes(matrix):
                    shapes[f"{index}.{matrix.name}.{name}"] = shape
        shapes["norm"] = "float32", (self.tensors.norm.size,)
        for matrix in self.tensors.ternary_tables:
            for name, shape in _matrix_shapes(matrix):
                shapes[f"{matrix.name}.{name}"] = shape
        if isinstance(self._head, VocabTable):
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
                for name, array in self._arrays(matrix):
                    store(f"{index}.{matrix.name}.{name}", array)
        store("norm", self._norm(self.tensors.norm))
        for matrix in self.tensors.ternary_tables:
            for name, array in self._arrays(matrix):
                store(f"{matrix.name}.{name}", array)
        if isinstance(self._head, VocabTable):
            table = pack_int8_table(_as_table(self.source.floats(self._head.tensor)))
            for name in INT8_PARTS:
                store(f"int8_head.{name}", getattr(table, name))
        for widened in self._widened():
            store(widened.tensor, widen(self.source.floats(widened.tensor)))
        progress(_PACKING, num_layers, num_layers)

    def assemble(self, arrays: dict[str, Array]) -> ModelWeights:
        """Return the weights from the packed arrays and the checkpoint's own."""
        embedding = self._vocab(self.tensors.embedding, arrays)
        head, int8_head = self.tensors.head, None
        if isinstance(self._head, VocabTable):
            int8_head = Int8Table(*(arrays[f"int8_head.{name}"] for name in INT8_PARTS))
        return ModelWeights(
            config=self.config,
            tensors=self.tensors,
            embedding=embedding,
            head=embedding if head is None else self._vocab(head, arrays),
            int8_head=int8_head,
            norm=arrays["norm"],
            layers=tuple(
                _layer(index, layer, arrays) for index, layer in enumerate(self.tensors.layers)
            ),
        )

    def _arrays(self, matrix: Matrix) -> Iterator[tuple[str, Array]]:
        """Yield the packed arrays of one fused matrix."""
        parts = [self.source.ternary(part, matrix.inputs) for part in matrix.parts]
        of_rows, of_groups = self._scales(matrix, parts)
        yield "codes", pack_ternary(np.concatenate([part.weights for part in parts]))
        yield "row_scales", of_rows
        if of_groups is not None:
            yield "group_scales", of_groups

    def _scales(
        self, matrix: Matrix, parts: list[TernaryTensor]
    ) -> tuple[Floats, NDArray[np.float16] | None]:
        fitted = []
        for part, read in zip(matrix.parts, parts, strict=True):
            try:
                fitted.append(fit_scales(read.scales, matrix.inputs, matrix.group))
                join_scales(fitted[-1:])
            except ValueError as error:
                raise self.source.error(part.tensor, error, _expected_scales(matrix)) from None
        return join_scales(fitted)

    def _norm(self, vector: Vector) -> Floats:
        norm = widen(self.source.floats(vector.tensor))
        if not np.isfinite(norm).all():
            raise self.source.error(vector.tensor, "values that are not finite", "finite values")
        return norm

    @property
    def _head(self) -> VocabTable | Matrix:
        return self.tensors.head or self.tensors.embedding

    def _widened(self) -> Iterator[VocabTable]:
        """Yield which of embedding and head cannot be used as they are on disk."""
        for table in self.tensors.tables:
            if not self.source.maps(table.tensor):
                yield table

    def _vocab(self, table: VocabTable | Matrix, arrays: dict[str, Array]) -> Table | PackedTernary:
        if isinstance(table, Matrix):
            return _packed(table.name, table, arrays)
        if table.tensor in arrays:
            return _as_table(arrays[table.tensor])
        return _as_table(self.source.floats(table.tensor))


def _matrix_shapes(matrix: Matrix) -> Iterator[tuple[str, ArrayShape]]:
    codes = codes_shape(matrix.outputs, matrix.inputs)
    yield "codes", ("uint8", codes)
    yield "row_scales", ("float32", (matrix.outputs,))
    if matrix.group is not None:
        yield "group_scales", ("float16", (codes[0], matrix.num_groups, BLOCK_ROWS))


def _expected_scales(matrix: Matrix) -> str:
    return f"scales for groups of {matrix.group}" if matrix.group else "one scale a row"


def _packed(prefix: str, matrix: Matrix, arrays: dict[str, Array]) -> PackedTernary:
    codes, scales = arrays[f"{prefix}.codes"], arrays[f"{prefix}.row_scales"]
    of_groups = arrays.get(f"{prefix}.group_scales")
    return PackedTernary(codes, scales, matrix.outputs, matrix.inputs, of_groups, matrix.group)


def _layer(index: int, layer: Layer, arrays: dict[str, Array]) -> LayerWeights:
    return LayerWeights(
        norms={vector.name: arrays[f"{index}.{vector.name}"] for vector in layer.vectors},
        matrices={
            matrix.name: _packed(f"{index}.{matrix.name}", matrix, arrays)
            for matrix in layer.matrices
        },
    )


def _as_table(array: Array) -> Table:
    return cast(Table, array)
