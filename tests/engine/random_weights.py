"""Random weights of any shape, made in memory: for tests that need a network, not a checkpoint."""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from sterna.engine.kernels import (
    Floats,
    PackedTernary,
    Table,
    narrow,
    pack_int8_table,
    pack_ternary,
)
from sterna.engine.kernels.packing import pack_group_scales
from sterna.engine.model.config import ModelConfig
from sterna.engine.model.families.registry import model_tensors
from sterna.engine.model.tensors import Layer, Matrix
from sterna.engine.model.weights import LayerWeights, ModelWeights

LOGIT_DEVIATION = 3.0  # neither flat nor decided


@dataclass(frozen=True)
class Shape:
    hidden_size: int
    mlp_size: int
    num_heads: int
    num_kv_heads: int
    head_size: int
    vocab_size: int = 307
    num_layers: int = 2
    family: str = "bitnet"
    activation_group: int | None = None  # then embedding and head are ternary, too


def random_weights(shape: Shape, max_context_tokens: int) -> ModelWeights:
    """Make weights with which activations keep their size from layer to layer."""
    config = ModelConfig(
        family=shape.family,
        vocab_size=shape.vocab_size,
        hidden_size=shape.hidden_size,
        mlp_size=shape.mlp_size,
        num_layers=shape.num_layers,
        num_heads=shape.num_heads,
        num_kv_heads=shape.num_kv_heads,
        head_size=shape.head_size,
        rope_theta=10_000.0,
        norm_eps=1e-5,
        max_context_tokens=max_context_tokens,
        eos_token_ids=frozenset(),
        bos_token_id=None,
        tie_embeddings=True,
        activation_group=shape.activation_group,
        ternary_embedding=shape.activation_group is not None,
    )
    random = np.random.default_rng(0)

    def norm(size: int) -> Floats:
        return random.normal(1.0, 0.2, size).astype(np.float32)

    def matrix(wanted: Matrix) -> PackedTernary:
        weights = random.integers(-1, 2, (wanted.outputs, wanted.inputs), np.int8)
        scales = np.full(wanted.outputs, 1 / sqrt(wanted.inputs * 2 / 3), np.float32)
        of_groups = None
        if wanted.group is not None:
            factors = random.uniform(0.5, 1.5, (wanted.outputs, wanted.num_groups))
            of_groups = pack_group_scales(factors.astype(np.float16).astype(np.float32))
        codes, sizes = pack_ternary(weights), (wanted.outputs, wanted.inputs)
        return PackedTernary(codes, scales, *sizes, of_groups, wanted.group)

    def layer(wanted: Layer) -> LayerWeights:
        return LayerWeights(
            norms={vector.name: norm(vector.size) for vector in wanted.vectors},
            matrices={each.name: matrix(each) for each in wanted.matrices},
        )

    tensors = model_tensors(config)
    deviation = LOGIT_DEVIATION / sqrt(config.hidden_size)
    embedding: Table | PackedTernary
    int8_head = None
    if isinstance(tensors.embedding, Matrix):
        embedding = matrix(tensors.embedding)
        embedding.row_scales[:] = deviation * sqrt(1.5)
    else:
        values = random.normal(0.0, deviation, tensors.embedding.shape)
        embedding = narrow(values.astype(np.float32))
        int8_head = pack_int8_table(embedding)
    return ModelWeights(
        config=config,
        tensors=tensors,
        embedding=embedding,
        head=embedding,
        int8_head=int8_head,
        norm=norm(config.hidden_size),
        layers=tuple(layer(wanted) for wanted in tensors.layers),
    )
