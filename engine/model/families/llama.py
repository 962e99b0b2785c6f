"""Llama with ternary layers: Falcon-E, Falcon3-1.58bit, Llama3-8B-1.58, TriLM.

Pre-norm transformer without sub-norms: grouped-query attention with rotary positions, and a
feed-forward part ``down(silu(gate) * up)``. Embedding and head are floats.
"""

from dataclasses import replace
from typing import Any, ClassVar, Final

from sterna.engine.config import HeadType
from sterna.engine.kernels import HeadNorms, Program, Rows
from sterna.engine.model.config import ModelConfig
from sterna.engine.model.families.config_json import (
    Defaults,
    network_json,
    read_activation_group,
    read_shape,
    refuse_biases,
)
from sterna.engine.model.families.outside import model_tensors, record_embedding, record_head
from sterna.engine.model.sources.json_object import JsonObject
from sterna.engine.model.tensors import Layer, Matrix, ModelTensors, Part, Vector
from sterna.engine.model.weights import LayerWeights, ModelWeights

_DEFAULTS: Final = Defaults(norm_eps=1e-6, rope_theta=10_000.0, max_context_tokens=2048)


class Llama:
    """See ``Family``."""

    name = "llama"
    architectures: tuple[str, ...] = ("LlamaForCausalLM", "llama")
    model_type: ClassVar = "llama"
    has_head_norms: ClassVar = False

    def read_config(self, config: JsonObject, generation: JsonObject | None) -> ModelConfig:
        """See ``Family``."""
        config.choice("hidden_act", ("silu",), default="silu")
        refuse_biases(config, "attention_bias", "mlp_bias")
        shape = read_shape(self.name, config, generation, _DEFAULTS)
        return replace(
            shape,
            activation_group=read_activation_group(config),
            ternary_embedding=config.boolean("ternary_embedding", default=False),
            ternary_head=config.boolean("ternary_head", default=False),
        )

    def to_json(self, config: ModelConfig) -> dict[str, Any]:
        """See ``Family``."""
        network = network_json(config, self.architectures[0])
        return network | {"hidden_act": "silu", "model_type": self.model_type}

    def tensors(self, config: ModelConfig) -> ModelTensors:
        """See ``Family``."""
        return model_tensors(config, lambda prefix: self._layer(config, prefix))

    def record(self, program: Program, weights: ModelWeights, head: HeadType) -> None:
        """See ``Family``."""
        x = record_embedding(program, weights)
        for index, layer in enumerate(weights.layers):
            self._attention(program, x, layer, index, weights.config)
            _feed_forward(program, x, layer, weights.config)
        record_head(program, x, weights, head)

    def _layer(self, config: ModelConfig, prefix: str) -> Layer:
        hidden, query, kv = config.hidden_size, config.query_size, config.kv_size
        sizes = {
            "input_norm": ("input_layernorm", hidden),
            "mlp_norm": ("post_attention_layernorm", hidden),
        }
        if self.has_head_norms:
            sizes["query_norm"] = "self_attn.q_norm", config.head_size
            sizes["key_norm"] = "self_attn.k_norm", config.head_size

        def matrix(name: str, inputs: int, **outputs: int) -> Matrix:
            parts = (
                Part(f"{prefix}.{module.replace('__', '.')}_proj.weight", rows)
                for module, rows in outputs.items()
            )
            return Matrix(name, inputs, tuple(parts), config.activation_group)

        return Layer(
            vectors=tuple(
                Vector(name, f"{prefix}.{module}.weight", size)
                for name, (module, size) in sizes.items()
            ),
            matrices=(
                matrix("qkv", hidden, self_attn__q=query, self_attn__k=kv, self_attn__v=kv),
                matrix("output", query, self_attn__o=hidden),
                matrix("gate_up", hidden, mlp__gate=config.mlp_size, mlp__up=config.mlp_size),
                matrix("down", config.mlp_size, mlp__down=hidden),
            ),
        )

    def _attention(
        self, program: Program, x: Rows, layer: LayerWeights, index: int, config: ModelConfig
    ) -> None:
        group, norms = config.activation_group, layer.norms
        normed = program.rms_norm_quantize(x, norms["input_norm"], config.norm_eps, group)
        qkv = program.ternary_matmul(normed, layer.matrices["qkv"])
        of_heads = None
        if self.has_head_norms:
            of_heads = HeadNorms(norms["query_norm"], norms["key_norm"], config.norm_eps)
        program.rotate_and_store(qkv, index, of_heads)
        mixed = program.quantize(program.attention(qkv, index), group)
        program.ternary_matmul_add(mixed, layer.matrices["output"], x)


def _feed_forward(program: Program, x: Rows, layer: LayerWeights, config: ModelConfig) -> None:
    group = config.activation_group
    normed = program.rms_norm_quantize(x, layer.norms["mlp_norm"], config.norm_eps, group)
    gate_up = program.ternary_matmul(normed, layer.matrices["gate_up"])
    gated = program.silu_gate_quantize(gate_up, group)
    program.ternary_matmul_add(gated, layer.matrices["down"], x)
