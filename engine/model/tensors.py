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
    """A ternary matrix as the kernels get it: the rows of its parts, in order."""

    name: str
    inputs: int
    parts: tuple[Part, ...]

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

    embedding: VocabTable
    head: VocabTable | None
    norm: Vector
    layers: tuple[Layer, ...]

    @property
    def tables(self) -> tuple[VocabTable, ...]:
        """The embedding, and the head where it is another table."""
        return (self.embedding,) if self.head is None else (self.embedding, self.head)

    @property
    def vectors(self) -> tuple[Vector, ...]:
        """The norms of all layers, and the last one."""
        return (*(vector for layer in self.layers for vector in layer.vectors), self.norm)

    @property
    def num_ternary(self) -> int:
        """How many weights are ternary."""
        matrices = (matrix for layer in self.layers for matrix in layer.matrices)
        return sum(matrix.outputs * matrix.inputs for matrix in matrices)

    @property
    def num_parameters(self) -> int:
        """How many weights there are; a tied head is not counted twice."""
        tables = sum(table.rows * table.width for table in self.tables)
        return self.num_ternary + tables + sum(vector.size for vector in self.vectors)
