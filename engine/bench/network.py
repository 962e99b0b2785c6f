"""A network of a published shape in memory, for measuring kernels: its weights mean nothing."""

import torch

from sterna.engine.kernels import PackedTernary
from sterna.engine.kernels.int8_table import Int8Table, int8_codes_shape
from sterna.engine.kernels.packing import codes_shape
from sterna.engine.model.config import ModelConfig
from sterna.engine.model.weights import LayerWeights, ModelWeights

_CODES_OF_ZERO = 121  # five codes of 1


def make_weights(config: ModelConfig) -> ModelWeights:
    """Fill weights of this shape: every ternary weight is 0, so activations stay finite."""
    embedding = torch.full((config.vocab_size, config.hidden_size), 0.01, dtype=torch.bfloat16)
    return ModelWeights(
        config=config,
        embedding=embedding,
        head=embedding,
        int8_head=_int8_table(config),
        norm=torch.ones(config.hidden_size),
        layers=tuple(_layer(config) for _ in range(config.num_layers)),
    )


def _int8_table(config: ModelConfig) -> Int8Table:
    shape = int8_codes_shape(config.vocab_size, config.hidden_size)
    zeros = torch.zeros(config.vocab_size)  # no errors: one candidate
    return Int8Table(
        codes=torch.full(shape, 1, dtype=torch.int8),
        scales=torch.linspace(0.01, 0.02, config.vocab_size),
        sums=torch.full((config.vocab_size,), config.hidden_size, dtype=torch.int32),
        residual_norms=zeros,
        norms=zeros,
    )


def _layer(config: ModelConfig) -> LayerWeights:
    hidden, mlp = config.hidden_size, config.mlp_size
    return LayerWeights(
        input_norm=torch.ones(hidden),
        qkv=_matrix(config.query_size + 2 * config.kv_size, hidden),
        attn_sub_norm=torch.ones(config.query_size),
        output=_matrix(hidden, config.query_size),
        mlp_norm=torch.ones(hidden),
        gate=_matrix(mlp, hidden),
        up=_matrix(mlp, hidden),
        ffn_sub_norm=torch.ones(mlp),
        down=_matrix(hidden, mlp),
    )


def _matrix(outputs: int, inputs: int) -> PackedTernary:
    codes = torch.full(codes_shape(outputs, inputs), _CODES_OF_ZERO, dtype=torch.uint8)
    return PackedTernary(codes, torch.ones(outputs), outputs, inputs)
