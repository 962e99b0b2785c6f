"""The keys of a GGUF file in the words of config.json, which all families read.

``{arch}.block_count`` is num_hidden_layers, and so on. What config.json cannot say, or what would
change the output and is not understood, is refused by name.
"""

from collections.abc import Mapping
from typing import Any, Final

from sterna.engine.model.config import ModelConfig
from sterna.engine.model.sources.json_object import JsonObject

_WORDS: Final = {
    "block_count": "num_hidden_layers",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "context_length": "max_position_embeddings",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim",
    "attention.layer_norm_rms_epsilon": "rms_norm_eps",
}
_ROPE: Final = {
    "rope.scaling.factor": "factor",
    "rope.scaling.original_context_length": "original_max_position_embeddings",
    "rope.scaling.attn_factor": "attention_scale",
    "rope.scaling.yarn_beta_fast": "beta_fast",
    "rope.scaling.yarn_beta_slow": "beta_slow",
}
_TURN_ENDS: Final = {
    "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|eom_id|>",
}  # fmt: skip
_ROTATED: Final = "prism.hadamard."
_INERT: Final = {  # say nothing that the others do not, or nothing about the output
    "vocab_size", "rope.dimension_count", "rope.freq_base", "rope.scaling.type",
    "attention.value_length", "rope.scaling.finetuned",
}  # fmt: skip


def as_config(path: str, keys: Mapping[str, Any], num_rows: int, *, tied: bool) -> JsonObject:
    """Return the configuration that the keys state.

    num_rows: of the embedding. tied: there is no other head. Raises CheckpointError.
    """
    found = JsonObject(path, dict(keys))
    arch = found.fields.get("general.architecture")
    if not isinstance(arch, str):
        raise found.error("general.architecture", "a name")
    for key in keys:  # weights in a rotated basis, which would give fluent nonsense
        if key.startswith(_ROTATED):
            raise found.error(key, "no such key: rotated weights are not served")
    prefix = f"{arch}."
    own = {key.removeprefix(prefix): key for key in keys if key.startswith(prefix)}
    unknown = sorted(set(own) - _WORDS.keys() - _ROPE.keys() - _INERT)
    if unknown:
        raise found.error(own[unknown[0]], "no such key: what it asks for is not served")
    fields = {_WORDS[name]: keys[key] for name, key in own.items() if name in _WORDS}
    fields |= {
        "architectures": [arch],
        "vocab_size": num_rows,
        "tie_word_embeddings": tied,
        "rope_parameters": _rope(found, prefix),
    }
    fields["bos_token_id"] = keys.get("tokenizer.ggml.bos_token_id")
    fields["eos_token_id"] = _stop_tokens(found)
    return JsonObject(path, fields)


def gguf_keys(config: ModelConfig, arch: str) -> dict[str, Any]:
    """Return the keys that ``as_config`` reads as this configuration."""
    values: dict[str, Any] = {
        "block_count": config.num_layers,
        "embedding_length": config.hidden_size,
        "feed_forward_length": config.mlp_size,
        "context_length": config.max_context_tokens,
        "attention.head_count": config.num_heads,
        "attention.head_count_kv": config.num_kv_heads,
        "attention.key_length": config.head_size,
        "attention.layer_norm_rms_epsilon": config.norm_eps,
        "rope.freq_base": config.rope_theta,
    }
    if config.rope_scaling is not None:
        words = {word: key for key, word in _ROPE.items()}
        values["rope.scaling.type"] = config.rope_scaling.type
        for word, value in config.rope_scaling.parameters.items():
            values[words[word]] = value
    keys: dict[str, Any] = {"general.architecture": arch}
    keys |= {f"{arch}.{name}": value for name, value in values.items()}
    for name, token_id in (("bos", config.bos_token_id), ("eos", min(config.eos_token_ids))):
        if token_id is not None:
            keys[f"tokenizer.ggml.{name}_token_id"] = token_id
    return keys


def _stop_tokens(found: JsonObject) -> list[int]:
    """Return the ids of all tokens that end a turn: those with keys, and those known by text.

    Many files name only one of them.
    """
    ids = [found.token_ids(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "eot", "eom")]
    tokens = found.strings("tokenizer.ggml.tokens") or []
    by_text = [token_id for token_id, text in enumerate(tokens) if text in _TURN_ENDS]
    return sorted({*(token_id for each in ids for token_id in each), *by_text})


def _rope(found: JsonObject, prefix: str) -> dict[str, Any]:
    keys = found.fields
    rope = {word: keys[prefix + key] for key, word in _ROPE.items() if prefix + key in keys}
    rope["rope_theta"] = keys.get(f"{prefix}rope.freq_base", 10_000.0)
    rope["rope_type"] = keys.get(f"{prefix}rope.scaling.type", "none")
    if rope["rope_type"] == "none":
        rope = {"rope_type": "default", "rope_theta": rope["rope_theta"]}
    length = _head_size(found, prefix)
    if (rotated := keys.get(f"{prefix}rope.dimension_count", length)) != length:
        rope["partial_rotary_factor"] = rotated / length
    if keys.get(f"{prefix}attention.value_length", length) != length:
        raise found.error(f"{prefix}attention.value_length", f"{length}, as keys are long")
    return rope


def _head_size(found: JsonObject, prefix: str) -> int:
    if found.has(f"{prefix}attention.key_length"):
        return found.integer(f"{prefix}attention.key_length")
    width = found.integer(f"{prefix}embedding_length", default=1)
    return width // found.integer(f"{prefix}attention.head_count", default=1)
