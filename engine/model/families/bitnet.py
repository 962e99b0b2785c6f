"""BitNet b1.58 (arXiv 2402.17764, 2504.12285): ``BitNetForCausalLM`` of transformers.

Pre-norm transformer: grouped-query attention with rotary positions and a norm before its output
matrix; a feed-forward part ``down(norm(relu(gate)^2 * up))``. Every matrix but the embedding and
the head is ternary and rounds its own input to int8.
"""

from typing import Any, Final

from sterna.engine.config import HeadType
from sterna.engine.kernels import Program, Rows
from sterna.engine.model.config import ModelConfig
from sterna.engine.model.families.config_json import Defaults, read_shape
from sterna.engine.model.sources.json_object import JsonObject
from sterna.engine.model.tensors import Layer, Matrix, ModelTensors, Part, Vector, VocabTable
from sterna.engine.model.weights import LayerWeights, ModelWeights

ARCHITECTURE: Final = "BitNetForCausalLM"
_DEFAULTS: Final = Defaults(norm_eps=1e-5, rope_theta=500_000.0, max_context_tokens=2048)


class BitNet:
    """See ``Family``."""

    name = "bitnet"
    architectures = (ARCHITECTURE,)

    def read_config(self, config: JsonObject, generation: JsonObject | None) -> ModelConfig:
        """See ``Family``."""
        config.choice("hidden_act", ("relu2",), default="relu2")
        if config.boolean("attention_bias", default=False):
            raise config.error("attention_bias", "false: biases are not supported")
        return read_shape(self.name, config, generation, _DEFAULTS)

    def to_json(self, config: ModelConfig) -> dict[str, Any]:
        """See ``Family``."""
        return {
            "architectures": [ARCHITECTURE],
            "bos_token_id": config.bos_token_id,
            "dtype": "bfloat16",
            "eos_token_id": sorted(config.eos_token_ids),
            "head_dim": config.head_size,
            "hidden_act": "relu2",
            "hidden_size": config.hidden_size,
            "intermediate_size": config.mlp_size,
            "max_position_embeddings": config.max_context_tokens,
            "model_type": "bitnet",
            "num_attention_heads": config.num_heads,
            "num_hidden_layers": config.num_layers,
            "num_key_value_heads": config.num_kv_heads,
            "rms_norm_eps": config.norm_eps,
            "rope_parameters": {"rope_theta": config.rope_theta, "rope_type": "default"},
            "tie_word_embeddings": config.tie_embeddings,
            "vocab_size": config.vocab_size,
        }

    def tensors(self, config: ModelConfig) -> ModelTensors:
        """See ``Family``."""
        head = VocabTable("lm_head.weight", config.vocab_size, config.hidden_size)
        return ModelTensors(
            embedding=VocabTable("model.embed_tokens.weight", head.rows, head.width),
            head=None if config.tie_embeddings else head,
            norm=Vector("norm", "model.norm.weight", config.hidden_size),
            layers=tuple(
                _layer(config, f"model.layers.{index}") for index in range(config.num_layers)
            ),
        )

    def record(self, program: Program, weights: ModelWeights, head: HeadType) -> None:
        """See ``Family``."""
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
