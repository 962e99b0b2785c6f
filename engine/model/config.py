"""What config.json says about the network, checked and in our own words.

Reads the files of transformers 4 and 5. Keys that transformers always writes are required; for
the others its own defaults hold. Settings that would change the output and are not served are
refused, each with one line; keys that cannot change it are ignored.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sterna.engine.errors import CheckpointError
from sterna.engine.model.sources.json_object import JsonObject, shown
from sterna.engine.model.sources.quantization import WeightForm, read_weight_form

logger = logging.getLogger(__name__)

CONFIG_FILE: Final = "config.json"
GENERATION_CONFIG_FILE: Final = "generation_config.json"
ARCHITECTURE: Final = "BitNetForCausalLM"
_NOT_SERVED: Final = {
    "BitnetForCausalLM": "the 1bitLLM family is a different network, with SiLU and other norms",
    "LlamaForCausalLM": "a ternary Llama is a different network, with SiLU and without sub-norms",
}
_DEFAULT_NORM_EPS: Final = 1e-5
_DEFAULT_ROPE_THETA: Final = 500_000.0
_DEFAULT_MAX_CONTEXT_TOKENS: Final = 2048


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Shape and constants of a BitNet b1.58 network.

    mlp_size: width of the feed-forward part. head_size: of queries, keys and values; the heads
    together need not be as wide as hidden_size. eos_token_ids: of config.json and
    generation_config.json together; may be empty.
    """

    vocab_size: int
    hidden_size: int
    mlp_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_size: int
    rope_theta: float
    norm_eps: float
    max_context_tokens: int
    eos_token_ids: frozenset[int]
    bos_token_id: int | None
    tie_embeddings: bool
    weight_form: WeightForm

    @property
    def query_size(self) -> int:
        """Width of all query heads together: what attention puts out."""
        return self.num_heads * self.head_size

    @property
    def kv_size(self) -> int:
        """Width of all key heads together, and of all value heads."""
        return self.num_kv_heads * self.head_size

    @property
    def num_ternary_parameters(self) -> int:
        """How many weights are ternary."""
        attention = self.hidden_size * (2 * self.query_size + 2 * self.kv_size)
        return self.num_layers * (attention + 3 * self.hidden_size * self.mlp_size)

    @property
    def num_parameters(self) -> int:
        """How many weights there are; a tied head is not counted twice."""
        vocab = self.vocab_size * self.hidden_size * (1 if self.tie_embeddings else 2)
        norms = self.num_layers * (2 * self.hidden_size + self.query_size + self.mlp_size)
        return self.num_ternary_parameters + vocab + norms + self.hidden_size


def read_model_config(folder: Path) -> ModelConfig:
    """Read config.json, and the stop tokens of generation_config.json where there is one.

    Raises CheckpointError for what is missing, impossible or not served.
    """
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: found no folder, expected one with {CONFIG_FILE}")
    config = JsonObject.read(folder / CONFIG_FILE)
    _check_network(config)
    num_heads = config.integer("num_attention_heads")
    num_kv_heads = config.integer("num_key_value_heads", default=num_heads)
    if num_heads % num_kv_heads:
        raise config.error("num_key_value_heads", f"a divisor of num_attention_heads, {num_heads}")
    vocab_size = config.integer("vocab_size")
    hidden_size = config.integer("hidden_size")
    return ModelConfig(
        vocab_size=vocab_size,
        hidden_size=hidden_size,
        mlp_size=config.integer("intermediate_size"),
        num_layers=config.integer("num_hidden_layers"),
        num_heads=num_heads,
        num_kv_heads=num_kv_heads,
        head_size=_head_size(config, hidden_size, num_heads),
        rope_theta=_rope_theta(config),
        norm_eps=config.positive_number("rms_norm_eps", default=_DEFAULT_NORM_EPS),
        max_context_tokens=config.integer(
            "max_position_embeddings", default=_DEFAULT_MAX_CONTEXT_TOKENS
        ),
        eos_token_ids=_eos_token_ids(config, folder / GENERATION_CONFIG_FILE, vocab_size),
        bos_token_id=next(iter(config.token_ids("bos_token_id")), None),
        tie_embeddings=config.boolean("tie_word_embeddings", default=False),
        weight_form=read_weight_form(config),
    )


def _check_network(config: JsonObject) -> None:
    """Check that config.json describes the one network that is served."""
    names = config.strings("architectures") or []
    if ARCHITECTURE not in names:
        hints = "".join(f" ({_NOT_SERVED[name]})" for name in names if name in _NOT_SERVED)
        raise config.error("architectures", f'["{ARCHITECTURE}"]{hints}')
    config.choice("hidden_act", ("relu2",), default="relu2")
    if config.boolean("attention_bias", default=False):
        raise config.error("attention_bias", "false: biases are not supported")


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


def _rope_theta(config: JsonObject) -> float:
    """Return the base of the rotary frequencies; scaled or partial rotation is refused.

    transformers 5 writes rope_parameters, with the base in it; transformers 4 writes rope_theta,
    and rope_scaling for anything but plain rotation.
    """
    theta = config.positive_number("rope_theta", default=_DEFAULT_ROPE_THETA)
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


def _eos_token_ids(config: JsonObject, generation_file: Path, vocab_size: int) -> frozenset[int]:
    ids = set(config.token_ids("eos_token_id"))
    if generation_file.exists():
        ids.update(JsonObject.read(generation_file).token_ids("eos_token_id"))
    outside = sorted(token_id for token_id in ids if token_id >= vocab_size)
    if outside:
        # Left over from a larger vocabulary; such a token never comes up.
        logger.warning("%s: eos ids %s are outside the vocabulary", config.where, shown(outside))
    return frozenset(ids.difference(outside))
