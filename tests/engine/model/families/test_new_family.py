"""A new family is one file and one line in the registry: this one is invented.

Its attention and its feed-forward part read the same normed input, and their outputs are added to
it together. Everything else follows: reading, packing, random checkpoints, counts, serving.
"""

from pathlib import Path
from typing import Any

import pytest

from sterna.engine import AsyncEngine, EngineConfig
from sterna.engine.bench.network import make_weights
from sterna.engine.config import HeadType
from sterna.engine.energy.meter import EnergyMeter
from sterna.engine.kernels import Program
from sterna.engine.load import load_engine
from sterna.engine.model.config import ModelConfig
from sterna.engine.model.families import registry
from sterna.engine.model.families.bitnet import BitNet
from sterna.engine.model.load import load_weights, read_model_config
from sterna.engine.model.tensors import Layer, Matrix, ModelTensors, Part, Vector, VocabTable
from sterna.engine.model.weights import ModelWeights
from sterna.engine.requests.request import Request, SamplingParams
from sterna.engine.synth import shapes
from sterna.engine.synth.checkpoint import synthesize_checkpoint


class Toy(BitNet):
    """The new file: a name, its tensors, its network."""

    name = "toy"
    architectures = ("ToyForCausalLM",)

    def to_json(self, config: ModelConfig) -> dict[str, Any]:
        return super().to_json(config) | {"architectures": list(self.architectures)}

    def tensors(self, config: ModelConfig) -> ModelTensors:
        hidden, mlp, query, kv = (
            config.hidden_size, config.mlp_size, config.query_size, config.kv_size
        )  # fmt: skip

        def layer(index: int) -> Layer:
            qkv = tuple(Part(f"h.{index}.{x}", n) for x, n in (("q", query), ("k", kv), ("v", kv)))
            return Layer(
                vectors=(
                    Vector("norm", f"h.{index}.norm", hidden),
                    Vector("attn", f"h.{index}.attn", query),
                    Vector("ffn", f"h.{index}.ffn", mlp),
                ),
                matrices=(
                    Matrix("qkv", hidden, qkv),
                    Matrix("output", query, (Part(f"h.{index}.o", hidden),)),
                    Matrix("gate", hidden, (Part(f"h.{index}.g", mlp),)),
                    Matrix("up", hidden, (Part(f"h.{index}.u", mlp),)),
                    Matrix("down", mlp, (Part(f"h.{index}.d", hidden),)),
                ),
            )

        return ModelTensors(
            embedding=VocabTable("embed", config.vocab_size, hidden),
            head=None,
            norm=Vector("norm", "norm", hidden),
            layers=tuple(layer(index) for index in range(config.num_layers)),
        )

    def record(self, program: Program, weights: ModelWeights, head: HeadType) -> None:
        eps = weights.config.norm_eps
        x = program.embed(weights.embedding)
        for index, layer in enumerate(weights.layers):
            norms, matrices = layer.norms, layer.matrices
            normed = program.rms_norm_quantize(x, norms["norm"], eps)
            qkv = program.ternary_matmul(normed, matrices["qkv"])
            gated = program.gated_matmul(normed, matrices["gate"], matrices["up"])
            program.rotate_and_store(qkv, index)
            mixed = program.rms_norm_quantize(program.attention(qkv, index), norms["attn"], eps)
            program.ternary_matmul_add(mixed, matrices["output"], x)
            gated_normed = program.rms_norm_quantize(gated, norms["ffn"], eps)
            program.ternary_matmul_add(gated_normed, matrices["down"], x)
        program.int8_head(
            program.select_rms_norm(x, weights.norm, eps), weights.int8_head, weights.head
        )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(registry, "FAMILIES", (*registry.FAMILIES, Toy()))  # the one line
    shape = shapes.Shape(64, 96, 2, 4, 2, 300, 256, 10_000.0, family="toy")
    monkeypatch.setitem(shapes.SHAPES, "toy", shape)
    synthesize_checkpoint("toy", tmp_path / "model")
    return tmp_path / "model"


def test_its_configuration_and_weights_are_read(folder: Path, tmp_path: Path) -> None:
    assert read_model_config(folder).family == "toy"
    weights = load_weights(folder, tmp_path / "cache")
    assert weights.layers[1].matrices.keys() == {"qkv", "output", "gate", "up", "down"}
    assert weights.tensors.num_ternary == 2 * (64 * (64 + 2 * 32) + 64 * 64 + 3 * 64 * 96)
    assert weights.tensors.num_parameters == weights.tensors.num_ternary + 300 * 64 + 64 + 2 * 224


def test_both_backends_run_it_alike(folder: Path, tmp_path: Path) -> None:
    def greedy(backend: str) -> list[int]:
        config = EngineConfig(folder, backend=backend, kv_dtype="float32", kv_cache_tokens=64)
        core = load_engine(config, EnergyMeter()).core
        request = Request("r", [1, 2, 3], SamplingParams(8, temperature=0.0, ignore_eos=True))
        core.add(request)
        while core.has_work:
            core.step()
        return request.token_ids

    assert greedy("native") == greedy("reference")


def test_benchmarks_know_its_shape(folder: Path) -> None:
    weights = make_weights(shapes.shape_config("toy"))
    assert weights.ternary_bytes == AsyncEngine.load(
        EngineConfig(folder, kv_cache_tokens=64)
    ).footprint.weight_bytes - (weights.num_bytes - weights.ternary_bytes)
