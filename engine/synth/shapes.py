"""The shapes of published models, by name, from their configurations.

The network of ``bitnet-b1.58-3B`` and ``-large`` is that of 2B-4T, which is not quite theirs.
"""

from dataclasses import dataclass
from typing import Final

from sterna.engine.errors import ConfigError
from sterna.engine.model.config import ModelConfig, RopeScaling
from sterna.engine.synth.tokenizer import special_tokens


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes that make a model. Sizes are in elements, the context in tokens."""

    hidden_size: int
    mlp_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    vocab_size: int
    max_context_tokens: int
    rope_theta: float
    family: str = "bitnet"
    head_size: int | None = None  # None: hidden_size / num_heads
    norm_eps: float = 1e-5
    tie_embeddings: bool = True
    rope_scaling: RopeScaling | None = None


_YARN: Final = RopeScaling("yarn", {"factor": 4.0, "original_max_position_embeddings": 8192.0})


def _bonsai(hidden: int, mlp: int, layers: int, heads: int, vocab: int, context: int) -> Shape:
    """Ternary-Bonsai: Qwen3 with ternary embedding and head."""
    return Shape(
        hidden, mlp, layers, heads, 8, vocab, context, 1e6, "qwen3", 128, 1e-6,
        tie_embeddings=hidden < 4096, rope_scaling=_YARN if hidden == 2048 else None,
    )  # fmt: skip


SHAPES: Final = {
    "bitnet-b1.58-2B-4T": Shape(2560, 6912, 30, 20, 5, 128_256, 4096, 500_000.0),
    "bitnet-b1.58-3B": Shape(3200, 8640, 26, 32, 32, 32_002, 2048, 10_000.0),
    "bitnet-b1.58-large": Shape(1536, 4096, 24, 16, 16, 32_002, 2048, 10_000.0),
    "ternary-bonsai-1.7b": _bonsai(2048, 6144, 28, 16, 151_669, 32_768),
    "ternary-bonsai-4b": _bonsai(2560, 9728, 36, 32, 151_936, 32_768),
    "ternary-bonsai-8b": _bonsai(4096, 12_288, 36, 32, 151_669, 65_536),
    "llama3-8b-1.58": Shape(
        4096, 14_336, 32, 32, 8, 128_256, 8192, 500_000.0, "llama", tie_embeddings=False
    ),
    "small-qwen3": Shape(256, 768, 4, 4, 2, 4096, 1024, 1e6, "qwen3", 64, 1e-6),
    "small": Shape(256, 704, 4, 4, 2, 4096, 1024, 10_000.0),
    "tiny": Shape(64, 160, 2, 4, 2, 512, 512, 10_000.0),
}


def shape_names() -> list[str]:
    """Name the shapes that can be had."""
    return list(SHAPES)


def shape_config(like: str) -> ModelConfig:
    """Return the configuration that a checkpoint of this shape has.

    Raises ConfigError for an unknown shape.
    """
    if like not in SHAPES:
        raise ConfigError(f"unknown shape {like!r}, expected one of {', '.join(SHAPES)}")
    shape = SHAPES[like]
    special = special_tokens(shape.vocab_size)
    return ModelConfig(
        family=shape.family,
        vocab_size=shape.vocab_size,
        hidden_size=shape.hidden_size,
        mlp_size=shape.mlp_size,
        num_layers=shape.num_layers,
        num_heads=shape.num_heads,
        num_kv_heads=shape.num_kv_heads,
        head_size=shape.head_size or shape.hidden_size // shape.num_heads,
        rope_theta=shape.rope_theta,
        rope_scaling=shape.rope_scaling,
        norm_eps=shape.norm_eps,
        max_context_tokens=shape.max_context_tokens,
        eos_token_ids=frozenset({special.end_of_text, special.end_of_turn}),
        bos_token_id=special.begin_of_text,
        tie_embeddings=shape.tie_embeddings,
    )
