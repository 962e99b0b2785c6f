"""BitNet b1.58 (arXiv 2402.17764, 2504.12285): ``BitNetForCausalLM`` of transformers.

Pre-norm transformer: grouped-query attention with rotary positions and a norm before its output
matrix; a feed-forward part ``down(norm(relu(gate)^2 * up))``. Every matrix but the embedding and
the head is ternary and rounds its own input to int8.
"""

from typing import Any, Final

from sterna.engine.config import HeadType
from sterna.engine.kernels import Program, Rows
from sterna.engine.model.config import ModelConfig
from sterna.engine.model.families.config_json import (
    Defaults,
    network_json,
    read_shape,
    refuse_biases,
)
from sterna.engine.model.families.outside import model_tensors, record_embedding, record_head
from sterna.engine.model.sources.json_object import JsonObject
from sterna.engine.model.tensors import Layer, Matrix, ModelTensors, Part, Vector
from sterna.engine.model.weights import LayerWeights, ModelWeights

ARCHITECTURE: Final = "BitNetForCausalLM"
_DEFAULTS: Final = Defaults(norm_eps=1e-5, rope_theta=500_000.0, max_context_tokens=2048)


class BitNet:
    """See ``Family``."""

    name = "bitnet"
    architectures: tuple[str, ...] = (ARCHITECTURE, "bitnet-b1.58", "bitnet-25")

    def read_config(self, config: JsonObject, generation: JsonObject | None) -> ModelConfig:
        """See ``Family``."""
        config.choice("hidden_act", ("relu2",), default="relu2")
        refuse_biases(config, "attention_bias")
        return read_shape(self.name, config, generation, _DEFAULTS)

    def to_json(self, config: ModelConfig) -> dict[str, Any]:
        """See ``Family``."""
        return network_json(config, ARCHITECTURE) | {"hidden_act": "relu2", "model_type": "bitnet"}

    def tensors(self, config: ModelConfig) -> ModelTensors:
        """See ``Family``."""
        return model_tensors(config, lambda prefix: _layer(config, prefix))

    def record(self, program: Program, weights: ModelWeights, head: HeadType) -> None:
        """See ``Family``."""
        eps = weights.config.norm_eps
        x = record_embedding(program, weights)
        for index, layer in enumerate(weights.layers):
            _attention(program, x, layer, index, eps)
            _feed_forward(program, x, layer, eps)
        record_head(program, x, weights, head)


def _layer(config: ModelConfig, prefix: str) -> Layer:
    hidden, mlp, query, kv = config.hidden_size, config.mlp_size, config.query_size, config.kv_size
    attention, feed_forward = f"{prefix}.self_attn", f"{prefix}.mlp"

    def norm(name: str, tensor: str, size: int) -> Vector:
        return Vector(name, f"{tensor}.weight", size)

    def part(tensor: str, outputs: int) -> Part:
        return Part(f"{tensor}.weight", outputs)

    qkv = (
        part(f"{attention}.q_proj", query),
        part(f"{attention}.k_proj", kv),
        part(f"{attention}.v_proj", kv),
    )
    return Layer(
        vectors=(
            norm("input_norm", f"{prefix}.input_layernorm", hidden),
            norm("attn_sub_norm", f"{attention}.attn_sub_norm", query),
            norm("mlp_norm", f"{prefix}.post_attention_layernorm", hidden),
            norm("ffn_sub_norm", f"{feed_forward}.ffn_sub_norm", mlp),
        ),
        matrices=(
            Matrix("qkv", hidden, qkv),
            Matrix("output", query, (part(f"{attention}.o_proj", hidden),)),
            Matrix("gate", hidden, (part(f"{feed_forward}.gate_proj", mlp),)),
            Matrix("up", hidden, (part(f"{feed_forward}.up_proj", mlp),)),
            Matrix("down", mlp, (part(f"{feed_forward}.down_proj", hidden),)),
        ),
    )


def _attention(program: Program, x: Rows, layer: LayerWeights, index: int, eps: float) -> None:
    norms, matrices = layer.norms, layer.matrices
    normed = program.rms_norm_quantize(x, norms["input_norm"], eps)
    qkv = program.ternary_matmul(normed, matrices["qkv"])
    program.rotate_and_store(qkv, index)
    mixed = program.attention(qkv, index)
    normed = program.rms_norm_quantize(mixed, norms["attn_sub_norm"], eps)
    program.ternary_matmul_add(normed, matrices["output"], x)


def _feed_forward(program: Program, x: Rows, layer: LayerWeights, eps: float) -> None:
    norms, matrices = layer.norms, layer.matrices
    normed = program.rms_norm_quantize(x, norms["mlp_norm"], eps)
    gated = program.gated_matmul(normed, matrices["gate"], matrices["up"])
    normed = program.rms_norm_quantize(gated, norms["ffn_sub_norm"], eps)
    program.ternary_matmul_add(normed, matrices["down"], x)
