"""The network of BitNet b1.58 (arXiv 2402.17764, 2504.12285), top to bottom, written once.

Pre-norm transformer: grouped-query attention with rotary positions and a norm before its output
matrix; a feed-forward part ``down(norm(relu(gate)^2 * up))``. Every matrix but the embedding and
the head is ternary and rounds its own input to int8. Records operations; computes nothing itself.
"""

import torch
from torch import Tensor

from sterna.engine.config import HeadType
from sterna.engine.kernels import AttentionShape, KVDtype, Program, Rows
from sterna.engine.model.config import ModelConfig
from sterna.engine.model.weights import LayerWeights, ModelWeights


def record(program: Program, weights: ModelWeights, head: HeadType = "int8") -> None:
    """Record the whole network, from token ids to logits."""
    eps = weights.config.norm_eps
    x = program.embed(weights.embedding)
    for index, layer in enumerate(weights.layers):
        _attention(program, x, layer, index, eps)
        _feed_forward(program, x, layer, eps)
    x = program.select_rms_norm(x, weights.norm, eps)
    if head == "int8":
        program.int8_head(x, weights.int8_head, weights.head)
    else:
        program.head(x, weights.head)


def _attention(program: Program, x: Rows, layer: LayerWeights, index: int, eps: float) -> None:
    normed = program.rms_norm_quantize(x, layer.input_norm, eps)
    qkv = program.ternary_matmul(normed, layer.qkv)
    program.rotate_and_store(qkv, index)
    mixed = program.attention(qkv, index)
    program.ternary_matmul_add(
        program.rms_norm_quantize(mixed, layer.attn_sub_norm, eps), layer.output, x
    )


def _feed_forward(program: Program, x: Rows, layer: LayerWeights, eps: float) -> None:
    normed = program.rms_norm_quantize(x, layer.mlp_norm, eps)
    gated = program.gated_matmul(normed, layer.gate, layer.up)
    program.ternary_matmul_add(
        program.rms_norm_quantize(gated, layer.ffn_sub_norm, eps), layer.down, x
    )


def attention_shape(
    config: ModelConfig,
    max_context_tokens: int,
    num_blocks: int,
    kv_dtype: KVDtype = "float16",
) -> AttentionShape:
    """Describe the network's attention, with rotary tables for positions below the limit."""
    cos, sin = rotary_tables(config.head_size, config.rope_theta, max_context_tokens)
    return AttentionShape(
        config.num_layers,
        config.num_heads,
        config.num_kv_heads,
        config.head_size,
        num_blocks,
        cos,
        sin,
        kv_dtype,
    )


def rotary_tables(head_size: int, theta: float, num_positions: int) -> tuple[Tensor, Tensor]:
    """Return cos and sin, float32 [num_positions, head_size / 2], of RoPE (arXiv 2104.09864)."""
    exponents = torch.arange(0, head_size, 2, dtype=torch.int64).float() / head_size
    angles = torch.outer(torch.arange(num_positions).float(), 1.0 / theta**exponents)
    return angles.cos(), angles.sin()
