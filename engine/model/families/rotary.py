"""Rotary positions (RoPE, arXiv 2104.09864), and the attention that they belong to."""

import numpy as np

from sterna.engine.kernels import AttentionShape, Floats, KVDtype
from sterna.engine.model.config import ModelConfig


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


def rotary_tables(head_size: int, theta: float, num_positions: int) -> tuple[Floats, Floats]:
    """Return cos and sin, float32 [num_positions, head_size / 2].

    Angles are rounded to float32 where transformers rounds them; all else is rounded once.
    """
    exponents = np.arange(0, head_size, 2, dtype=np.float32) / np.float32(head_size)
    powers = np.power(theta, exponents, dtype=np.float64).astype(np.float32)
    positions = np.arange(num_positions, dtype=np.float32)
    angles = np.outer(positions, np.float32(1) / powers).astype(np.float64)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
