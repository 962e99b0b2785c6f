"""The weights that a network runs on, as the kernels take them."""

from collections.abc import Mapping
from dataclasses import dataclass

from sterna.engine.config import HeadType
from sterna.engine.kernels import Floats, Int8Table, PackedTernary, Table
from sterna.engine.model.config import ModelConfig
from sterna.engine.model.tensors import ModelTensors


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """One layer, by the names that the family's list gives. Norms are float32 vectors."""

    norms: Mapping[str, Floats]
    matrices: Mapping[str, PackedTernary]


@dataclass(frozen=True, slots=True)
class ModelWeights:
    """All weights, mapped from files where possible: read them, never write to them.

    tensors: what there is. embedding: [vocab_size, hidden_size]. head: of the same shape; where
    embeddings are tied it is the embedding itself. int8_head: the head's table in int8. norm:
    float32 [hidden_size], before the head.
    """

    config: ModelConfig
    tensors: ModelTensors
    embedding: Table
    head: Table
    int8_head: Int8Table
    norm: Floats
    layers: tuple[LayerWeights, ...]

    @property
    def ternary_bytes(self) -> int:
        """Bytes of all ternary matrices as packed, with their row scales."""
        return sum(matrix.num_bytes for layer in self.layers for matrix in layer.matrices.values())

    @property
    def embedding_bytes(self) -> int:
        """Bytes of the embedding, and of the head where it is another matrix."""
        head_bytes = 0 if self.head is self.embedding else self.head.nbytes
        return self.embedding.nbytes + head_bytes

    def head_bytes(self, head: HeadType) -> int:
        """Bytes of the table that the logits come from; of the int8 head's, its own alone."""
        return self.head.nbytes if head == "bf16" else self.int8_head.num_bytes

    @property
    def norm_bytes(self) -> int:
        """Bytes of all norms."""
        norms = (norm for layer in self.layers for norm in layer.norms.values())
        return self.norm.nbytes + sum(norm.nbytes for norm in norms)

    @property
    def num_bytes(self) -> int:
        """Bytes of all weights."""
        parts = (
            self.ternary_bytes,
            self.embedding_bytes,
            self.int8_head.num_bytes,
            self.norm_bytes,
        )
        return sum(parts)
