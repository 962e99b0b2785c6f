"""The tensors of the network: their names in a checkpoint, their shapes, how they are grouped here.

A layer's matrices that read the same input are one matrix here, their rows in the order listed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import torch

from sterna.engine.model.config import ModelConfig
from sterna.engine.model.sources.quantization import WeightForm
from sterna.engine.model.sources.safetensors_file import TensorInfo, described

EMBEDDING: Final = "model.embed_tokens.weight"
HEAD: Final = "lm_head.weight"
FINAL_NORM: Final = "model.norm.weight"
MATRICES: Final = {
    "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "output": ("self_attn.o_proj",),
    "gate": ("mlp.gate_proj",),
    "up": ("mlp.up_proj",),
    "down": ("mlp.down_proj",),
}
NORMS: Final = {
    "input_norm": "input_layernorm",
    "attn_sub_norm": "self_attn.attn_sub_norm",
    "mlp_norm": "post_attention_layernorm",
    "ffn_sub_norm": "mlp.ffn_sub_norm",
}
_ROWS_PER_BYTE: Final = 4  # on disk: byte [r, c] holds rows r, r + R, r + 2R, r + 3R of column c
_FLOATS: Final = (torch.bfloat16, torch.float16, torch.float32)


@dataclass(frozen=True, slots=True)
class ExpectedTensor:
    """What a checkpoint may hold under one name: any of some (dtype, shape) pairs."""

    choices: tuple[tuple[torch.dtype, tuple[int, ...]], ...]

    def allows(self, info: TensorInfo) -> bool:
        """Tell whether the tensor that a file holds is as expected."""
        return (info.dtype, info.shape) in self.choices

    def __str__(self) -> str:
        return " or ".join(described(dtype, shape) for dtype, shape in self.choices)


def layer_tensor(layer: int, module: str, kind: str = "weight") -> str:
    """Return the checkpoint's name of a tensor of one layer."""
    return f"model.layers.{layer}.{module}.{kind}"


def matrix_shapes(config: ModelConfig) -> dict[str, tuple[int, int]]:
    """Return (outputs, inputs) of each ternary matrix of a layer, by module name."""
    return {
        "self_attn.q_proj": (config.query_size, config.hidden_size),
        "self_attn.k_proj": (config.kv_size, config.hidden_size),
        "self_attn.v_proj": (config.kv_size, config.hidden_size),
        "self_attn.o_proj": (config.hidden_size, config.query_size),
        "mlp.gate_proj": (config.mlp_size, config.hidden_size),
        "mlp.up_proj": (config.mlp_size, config.hidden_size),
        "mlp.down_proj": (config.hidden_size, config.mlp_size),
    }


def norm_sizes(config: ModelConfig) -> dict[str, int]:
    """Return the width of each norm of a layer, by our name for it."""
    return {
        "input_norm": config.hidden_size,
        "attn_sub_norm": config.query_size,
        "mlp_norm": config.hidden_size,
        "ffn_sub_norm": config.mlp_size,
    }


def expected_tensors(config: ModelConfig) -> Iterator[tuple[str, ExpectedTensor]]:
    """Yield the name of every tensor that a checkpoint must hold, and what it may be."""
    vocab = _floats(config.vocab_size, config.hidden_size)
    yield EMBEDDING, vocab
    if not config.tie_embeddings:
        yield HEAD, vocab
    yield FINAL_NORM, _floats(config.hidden_size)
    for layer in range(config.num_layers):
        for name, size in norm_sizes(config).items():
            yield layer_tensor(layer, NORMS[name]), _floats(size)
        for module, shape in matrix_shapes(config).items():
            yield layer_tensor(layer, module), _matrix(config.weight_form, *shape)
            if config.weight_form is not WeightForm.MASTER:
                yield layer_tensor(layer, module, "weight_scale"), _floats(1)


def _floats(*shape: int) -> ExpectedTensor:
    return ExpectedTensor(tuple((dtype, shape) for dtype in _FLOATS))


def _matrix(form: WeightForm, outputs: int, inputs: int) -> ExpectedTensor:
    """Return what one ternary matrix may be.

    Where the scale multiplies, transformers unpacks on loading, and saves what it unpacked.
    """
    unpacked = _floats(outputs, inputs)
    if form is WeightForm.MASTER:
        return unpacked
    packed = ((torch.uint8, (-(-outputs // _ROWS_PER_BYTE), inputs)),)
    if form is WeightForm.SCALE_DIVIDES:
        return ExpectedTensor(packed)
    return ExpectedTensor(packed + unpacked.choices)
