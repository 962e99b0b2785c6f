"""The shapes of published models, by name, from their configurations.

The network is always that of BitNet b1.58 2B-4T, which is not quite that of the models before it.
"""

from dataclasses import dataclass
from typing import Final

from sterna.engine.errors import ConfigError
from sterna.engine.model.config import ModelConfig
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


SHAPES: Final = {
    "bitnet-b1.58-2B-4T": Shape(2560, 6912, 30, 20, 5, 128_256, 4096, 500_000.0),
    "bitnet-b1.58-3B": Shape(3200, 8640, 26, 32, 32, 32_002, 2048, 10_000.0),
    "bitnet-b1.58-large": Shape(1536, 4096, 24, 16, 16, 32_002, 2048, 10_000.0),
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
        head_size=shape.hidden_size // shape.num_heads,
        rope_theta=shape.rope_theta,
        norm_eps=1e-5,
        max_context_tokens=shape.max_context_tokens,
        eos_token_ids=frozenset({special.end_of_text, special.end_of_turn}),
        bos_token_id=special.begin_of_text,
        tie_embeddings=True,
    )
