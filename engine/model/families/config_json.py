"""What config.json says of a network in words that all families share, checked.

Reads the files of transformers 4 and 5. Keys that transformers always writes are required; for
the others its own defaults hold.
"""

import logging
from dataclasses import dataclass

from sterna.engine.errors import CheckpointError
from sterna.engine.model.config import ModelConfig
from sterna.engine.model.sources.json_object import JsonObject, shown

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds where config.json says nothing: the defaults of transformers."""

    norm_eps: float
    rope_theta: float
    max_context_tokens: int


def read_shape(
    family: str, config: JsonObject, generation: JsonObject | None, defaults: Defaults
) -> ModelConfig:
    """Read the sizes and constants, and the stop tokens of both files.

    Raises CheckpointError for what is missing, impossible or not served.
    """
    num_heads = config.integer("num_attention_heads")
    num_kv_heads = config.integer("num_key_value_heads", default=num_heads)
    if num_heads % num_kv_heads:
        raise config.error("num_key_value_heads", f"a divisor of num_attention_heads, {num_heads}")
    vocab_size = config.integer("vocab_size")
    hidden_size = config.integer("hidden_size")
    return ModelConfig(
        family=family,
        vocab_size=vocab_size,
        hidden_size=hidden_size,
        mlp_size=config.integer("intermediate_size"),
        num_layers=config.integer("num_hidden_layers"),
        num_heads=num_heads,
        num_kv_heads=num_kv_heads,
        head_size=_head_size(config, hidden_size, num_heads),
        rope_theta=_rope_theta(config, defaults.rope_theta),
        norm_eps=config.positive_number("rms_norm_eps", default=defaults.norm_eps),
        max_context_tokens=config.integer(
            "max_position_embeddings", default=defaults.max_context_tokens
        ),
        eos_token_ids=_eos_token_ids(config, generation, vocab_size),
        bos_token_id=next(iter(config.token_ids("bos_token_id")), None),
        tie_embeddings=config.boolean("tie_word_embeddings", default=False),
    )


def _head_size(config: JsonObject, hidden_size: int, num_heads: int) -> int:
    if not config.has("head_dim") and hidden_size % num_heads:
        raise config.error(
            "head_dim",
            f"a number, because hidden_size {hidden_size} is not a multiple of {num_heads} heads",
        )
    head_size = config.integer("head_dim", default=hidden_size // num_heads)
    if head_size % 2 or head_size == 0:
        raise CheckpointError(
            f"{config.where}: head_dim: found {head_size}, expected an even number: "
            "rotary embedding turns pairs"
        )
    return head_size


def _rope_theta(config: JsonObject, default: float) -> float:
    """Return the base of the rotary frequencies; scaled or partial rotation is refused.

    transformers 5 writes rope_parameters, with the base in it; transformers 4 writes rope_theta,
    and rope_scaling for anything but plain rotation.
    """
    theta = config.positive_number("rope_theta", default=default)
    for key in ("rope_parameters", "rope_scaling"):
        rope = config.object(key)
        if rope is None:
            continue
        for type_key in ("rope_type", "type"):
            rope.choice(type_key, ("default",), default="default")
        if rope.positive_number("partial_rotary_factor", default=1.0) != 1.0:
            raise rope.error("partial_rotary_factor", "1.0")
        theta = rope.positive_number("rope_theta", default=theta)
    return theta


def _eos_token_ids(
    config: JsonObject, generation: JsonObject | None, vocab_size: int
) -> frozenset[int]:
    ids = set(config.token_ids("eos_token_id"))
    if generation is not None:
        ids.update(generation.token_ids("eos_token_id"))
    outside = sorted(token_id for token_id in ids if token_id >= vocab_size)
    if outside:
        # Left over from a larger vocabulary; such a token never comes up.
        logger.warning("%s: eos ids %s are outside the vocabulary", config.where, shown(outside))
    return frozenset(ids.difference(outside))
