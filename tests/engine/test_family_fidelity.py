"""Every family is transformers' network: the same logits on the same ternary weights.

Where a model was trained with int8 activations, ours are transformers' own. Others have 16-bit
activations there, so here the reference's rounding to int8 is left out: what differs then is the
order of float sums alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import torch
from torch import Tensor

from sterna.engine.kernels import BACKENDS, CACHE_TOKENS, Floats, Step, reference
from sterna.engine.model.families.registry import family_of
from sterna.engine.model.families.rotary import attention_shape
from sterna.engine.model.load import load_weights

MAX_CONTEXT = 64
TOKENS = np.random.default_rng(3).integers(0, 290, 40).tolist()


@dataclass(frozen=True)
class Variant:
    """A network of transformers, and what its configuration says beside the sizes."""

    model: str  # Llama or Qwen3
    is_packed: bool = False
    group: int | None = None  # of inputs that share a scale; None: one for the tensor
    config: dict[str, Any] = field(default_factory=dict)


YARN: Final = {
    "rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0,
    "original_max_position_embeddings": 16,
}  # fmt: skip
LLAMA3: Final = {
    "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 32,
}  # fmt: skip
VARIANTS: Final = {
    "llama packed": Variant("Llama", is_packed=True),
    "llama packed, untied, wide heads": Variant(
        "Llama", is_packed=True, config={"tie_word_embeddings": False, "head_dim": 48}
    ),
    "llama packed, llama3 rope": Variant("Llama", True, config={"rope_parameters": LLAMA3}),
    "llama of floats": Variant("Llama"),
    "llama, linear rope": Variant(
        "Llama",
        config={"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0}},
    ),
    "qwen3": Variant("Qwen3", group=128),
    "qwen3 with yarn, untied": Variant(
        "Qwen3", group=128, config={"rope_parameters": YARN, "tie_word_embeddings": False}
    ),
    "qwen3, odd heads": Variant(
        "Qwen3",
        group=128,
        config={"num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 128},
    ),
}


def make_network(variant: Variant) -> Any:
    import transformers

    torch.manual_seed(0)
    sizes = {
        "vocab_size": 300, "hidden_size": 256, "intermediate_size": 384, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64,
        "max_position_embeddings": 64, "initializer_range": 0.3, "tie_word_embeddings": True,
        "bos_token_id": 1, "eos_token_id": 2,
    }  # fmt: skip
    config = getattr(transformers, f"{variant.model}Config")(**(sizes | variant.config))
    network = getattr(transformers, f"{variant.model}ForCausalLM")(config).eval()
    for name, parameter in network.named_parameters():
        if name.endswith("norm.weight"):
            torch.nn.init.normal_(parameter, mean=1.0, std=0.2)
        elif name.endswith("_proj.weight"):
            parameter.data = rounded(parameter.data, variant.group)
    return network


def rounded(weights: Tensor, group: int | None) -> Tensor:
    """Round to ternary, with scales that float16 holds."""
    grouped = weights.view(len(weights), -1, group) if group else weights.view(1, 1, -1)
    scales = grouped.abs().mean(-1, keepdim=True).half().float()
    return ((grouped / scales).round().clamp(-1, 1) * scales).view(weights.shape)


def write(network: Any, variant: Variant, folder: Path) -> None:
    if not variant.is_packed:
        network.save_pretrained(folder)
        return
    from transformers.integrations.bitnet import pack_weights
    from transformers.utils.quantization_config import BitNetQuantConfig

    tensors = network.state_dict()
    if network.config.tie_word_embeddings:
        del tensors["lm_head.weight"]
    for name in [name for name in tensors if name.endswith("_proj.weight")]:
        scale = tensors[name].abs().max()
        tensors[f"{name}_scale"] = (1 / scale).reshape(1)
        tensors[name] = pack_weights((tensors[name] / scale).round())
    network.config.quantization_config = BitNetQuantConfig(linear_class="bitlinear")
    network.save_pretrained(folder, state_dict=tensors)


def expected_logits(network: Any, variant: Variant, folder: Path) -> Floats:
    import transformers

    if variant.is_packed:  # whose layers round their inputs to int8
        torch.compiler.set_stance("force_eager")
        loader = getattr(transformers, f"{variant.model}ForCausalLM")
        network = loader.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    with torch.inference_mode():
        logits: Floats = network(torch.tensor([TOKENS])).logits[0].float().numpy()
    return logits


def our_logits(folder: Path, cache_dir: Path, backend: str) -> Floats:
    weights = load_weights(folder, cache_dir)
    blocks = MAX_CONTEXT // CACHE_TOKENS
    shape = attention_shape(weights.config, MAX_CONTEXT, blocks, "float32")
    program = BACKENDS[backend].make_program(shape, 1, MAX_CONTEXT, MAX_CONTEXT)
    family_of(weights.config).record(program, weights, "bf16")
    positions = np.arange(len(TOKENS), dtype=np.int32)
    return program.run(
        Step(
            token_ids=np.array(TOKENS, np.int32),
            positions=positions,
            slots=positions,
            block_tables=np.arange(blocks, dtype=np.int32)[None],
            query_starts=np.array([0, len(TOKENS)], np.int32),
            logit_rows=positions,
        )
    ).copy()


@pytest.fixture
def without_rounding(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def unrounded(x: Tensor, group: int | None = None) -> tuple[Tensor, Tensor]:
        return x, torch.ones(len(x), -(-x.shape[-1] // (group or x.shape[-1])))

    monkeypatch.setattr(reference, "quantize", unrounded)
    yield


@pytest.mark.parametrize("name", [name for name, v in VARIANTS.items() if v.is_packed])
@pytest.mark.parametrize("backend", BACKENDS)
def test_logits_of_a_model_trained_with_int8(backend: str, name: str, tmp_path: Path) -> None:
    """Within rounding, but where a value between two int8 steps falls to the other side."""
    network = make_network(VARIANTS[name])
    write(network, VARIANTS[name], tmp_path / "model")
    expected = expected_logits(network, VARIANTS[name], tmp_path / "model")
    ours = our_logits(tmp_path / "model", tmp_path / "cache", backend)
    differences = np.abs(ours - expected).max(-1) / expected.std()
    assert np.median(differences) < 1e-4
    assert differences.max() < 0.25


@pytest.mark.usefixtures("without_rounding")
@pytest.mark.parametrize("name", [name for name, v in VARIANTS.items() if not v.is_packed])
def test_logits_without_rounding(name: str, tmp_path: Path) -> None:
    network = make_network(VARIANTS[name])
    write(network, VARIANTS[name], tmp_path / "model")
    expected = expected_logits(network, VARIANTS[name], tmp_path / "model")
    ours = our_logits(tmp_path / "model", tmp_path / "cache", "reference")
    assert np.abs(ours - expected).max() < 1e-4 * expected.std()


@pytest.mark.parametrize("name", [name for name, v in VARIANTS.items() if not v.is_packed])
def test_native_equals_the_reference(name: str, tmp_path: Path) -> None:
    """The same int8 values, until one lies at a tie: from there on, a few percent of the spread."""
    write(make_network(VARIANTS[name]), VARIANTS[name], tmp_path / "model")
    native, expected = (
        our_logits(tmp_path / "model", tmp_path / "cache", backend) for backend in BACKENDS
    )
    differences = np.abs(native - expected).max(-1) / expected.std()
    assert differences.min() < 1e-5
    assert differences.max() < 0.2


def test_a_plain_llama_is_refused(tmp_path: Path) -> None:
    """Whose weights are not ternary, with the figure that shows it."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from sterna.engine.errors import CheckpointError

    config = LlamaConfig(
        vocab_size=300, hidden_size=128, intermediate_size=128, num_hidden_layers=1,
        num_attention_heads=2,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(tmp_path / "model")
    with pytest.raises(CheckpointError, match=r"found a weight that is 0\.\d+ of its scale away"):
        load_weights(tmp_path / "model", tmp_path / "cache")
