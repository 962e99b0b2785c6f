"""The tensors of a network, listed once by its family.

Shapes, counts, packing, random checkpoints, energy accounting and benchmarks all follow from this
list. Matrices that read the same input are multiplied as one: their rows follow each other.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vector:
    """A norm, float32 [size]. tensor: its name in the checkpoint."""

    name: str
    tensor: str
    size: int


@dataclass(frozen=True, slots=True)
class Part:
    """A ternary matrix as the checkpoint has it. tensor: its name there."""

    tensor: str
    outputs: int


@dataclass(frozen=True, slots=True)
class Matrix:
    """A ternary matrix as the kernels get it: the rows of its parts, in order.

    group: inputs that share a scale, of the weights and of the activations; None: all of a row.
    """

    name: str
    inputs: int
    parts: tuple[Part, ...]
    group: int | None = None

    @property
    def num_groups(self) -> int:
        """Groups of inputs, the last of which may be shorter."""
        return -(-self.inputs // (self.group or self.inputs))

    @property
    def outputs(self) -> int:
        """Rows of all parts."""
        return sum(part.outputs for part in self.parts)


@dataclass(frozen=True, slots=True)
class VocabTable:
    """The embedding or the head, floats [rows, width]. tensor: its name in the checkpoint."""

    tensor: str
    rows: int
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and width."""
        return self.rows, self.width


@dataclass(frozen=True, slots=True)
class Layer:
    """The tensors of one layer; names are distinct within it."""

    vectors: tuple[Vector, ...]
    matrices: tuple[Matrix, ...]


@dataclass(frozen=True, slots=True)
class ModelTensors:
    """All tensors of a network. head: None where it is the embedding."""

    embedding: VocabTable | Matrix
    head: VocabTable | Matrix | None
    norm: Vector
    layers: tuple[Layer, ...]

    @property
    def tables(self) -> tuple[VocabTable, ...]:
        """Of the embedding, and the head where it is another, those that are floats."""
        return tuple(each for each in self._around if isinstance(each, VocabTable))

    @property
    def ternary_tables(self) -> tuple[Matrix, ...]:
        """Those that are ternary."""
        return tuple(each for each in self._around if isinstance(each, Matrix))

    @property
    def matrices(self) -> tuple[Matrix, ...]:
        """All ternary matrices: those of the layers, and ternary tables."""
        return (
            *(matrix for layer in self.layers for matrix in layer.matrices),
            *self.ternary_tables,
        )

    @property
    def _around(self) -> tuple[VocabTable | Matrix, ...]:
        return (self.embedding,) if self.head is None else (self.embedding, self.head)

    @property
    def vectors(self) -> tuple[Vector, ...]:
        """The norms of all layers, and the last one."""
        return (*(vector for layer in self.layers for vector in layer.vectors), self.norm)

    @property
    def num_ternary(self) -> int:
        """How many weights of the layers are ternary."""
        matrices = (matrix for layer in self.layers for matrix in layer.matrices)
        return sum(matrix.outputs * matrix.inputs for matrix in matrices)

    @property
    def num_parameters(self) -> int:
        """How many weights there are; a tied head is not counted twice."""
        tables = sum(table.rows * table.width for table in self.tables)
        tables += sum(matrix.outputs * matrix.inputs for matrix in self.ternary_tables)
        return self.num_ternary + tables + sum(vector.size for vector in self.vectors)
