"""Random weights of any shape, made in memory: for tests that need a network, not a checkpoint."""

from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor

from sterna.engine.kernels import PackedTernary, pack_int8_table, pack_ternary
from sterna.engine.model.config import ModelConfig
from sterna.engine.model.sources.quantization import WeightForm
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


def random_weights(shape: Shape, max_context_tokens: int) -> ModelWeights:
    """Make weights with which activations keep their size from layer to layer."""
    config = ModelConfig(
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
        weight_form=WeightForm.MASTER,
    )
    generator = torch.Generator().manual_seed(0)

    def norm(size: int) -> Tensor:
        return torch.empty(size).normal_(1.0, 0.2, generator=generator)

    def matrix(outputs: int, inputs: int) -> PackedTernary:
        weights = torch.randint(-1, 2, (outputs, inputs), dtype=torch.int8, generator=generator)
        scales = torch.full((outputs,), 1 / sqrt(inputs * 2 / 3))
        return PackedTernary(pack_ternary(weights), scales, outputs, inputs)

    def layer() -> LayerWeights:
        return LayerWeights(
            input_norm=norm(config.hidden_size),
            qkv=matrix(config.query_size + 2 * config.kv_size, config.hidden_size),
            attn_sub_norm=norm(config.query_size),
            output=matrix(config.hidden_size, config.query_size),
            mlp_norm=norm(config.hidden_size),
            gate=matrix(config.mlp_size, config.hidden_size),
            up=matrix(config.mlp_size, config.hidden_size),
            ffn_sub_norm=norm(config.mlp_size),
            down=matrix(config.hidden_size, config.mlp_size),
        )

    embedding = torch.empty(config.vocab_size, config.hidden_size)
    embedding.normal_(0.0, LOGIT_DEVIATION / sqrt(config.hidden_size), generator=generator)
    embedding = embedding.bfloat16()
    layers = tuple(layer() for _ in range(config.num_layers))
    int8_head = pack_int8_table(embedding)
    return ModelWeights(config, embedding, embedding, int8_head, norm(config.hidden_size), layers)
