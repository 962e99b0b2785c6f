"""Tiny random checkpoints written by transformers, and the model that transformers makes of them.

Each variant stresses one thing that a config can state. Weights are wide, so that attention is
sharp and greedy decoding has no near ties. Importing transformers takes seconds: make checkpoints
once for a session.

    folder = write_checkpoint(VARIANTS["packed_gqa"], tmp_path)
    model = reference_model(folder)             # float32, eager attention, same ternary weights
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import torch

from sterna.engine.synth.tokenizer import special_tokens, write_tokenizer

Form = Literal["packed", "packed_inverse", "unpacked", "online", "master"]


@dataclass(frozen=True)
class TinyModel:
    """A shape and a form on disk.

    form: ``packed`` uint8 with a scale that multiplies (autobitlinear), ``packed_inverse`` uint8
    with a scale that divides (bitlinear), ``unpacked`` what transformers saves after loading
    ``packed``, ``online`` masters with quantization_config, ``master`` masters without.
    """

    form: Form = "packed"
    hidden_size: int = 64
    mlp_size: int = 160
    num_layers: int = 2
    num_heads: int = 4
    num_kv_heads: int = 2
    head_size: int | None = None
    vocab_size: int = 320
    tied: bool = True
    dtype: torch.dtype = torch.bfloat16
    seed: int = 0


VARIANTS: Final = {
    "packed_gqa": TinyModel(),
    "packed_mha": TinyModel(num_kv_heads=4, seed=1),
    "packed_inverse": TinyModel(form="packed_inverse", num_kv_heads=1, seed=2),
    "packed_odd": TinyModel(
        hidden_size=100, mlp_size=204, num_heads=5, num_kv_heads=1, vocab_size=301, seed=3
    ),
    "packed_untied": TinyModel(tied=False, seed=4),
    "packed_wide_heads": TinyModel(head_size=24, seed=5),
    "unpacked": TinyModel(form="unpacked", seed=6),
    "online_gqa": TinyModel(form="online", seed=7),
    "online_odd": TinyModel(
        form="online",
        hidden_size=90,
        mlp_size=131,
        num_heads=3,
        num_kv_heads=3,
        head_size=30,
        vocab_size=309,
        tied=False,
        seed=8,
    ),
    "online_f32": TinyModel(form="online", dtype=torch.float32, num_layers=1, seed=9),
    "online_f16": TinyModel(form="online", dtype=torch.float16, num_layers=3, seed=10),
    "master": TinyModel(form="master", hidden_size=66, num_heads=3, num_kv_heads=1, seed=11),
}


def write_checkpoint(model: TinyModel, folder: Path, **config: Any) -> Path:
    """Write the checkpoint with its tokenizer into a new folder and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    network = _random_network(model, config)
    if model.form != "master":
        network.config.quantization_config = _quantization_config(model.form)
    network.save_pretrained(folder, state_dict=_state_dict(network, model), max_shard_size="5GB")
    write_tokenizer(folder, model.vocab_size, network.config.max_position_embeddings)
    return folder


def reference_model(folder: Path) -> Any:
    """Load the folder as transformers does, in float32 with eager attention.

    A folder without quantization_config holds masters; they run as online masters, because
    transformers itself would leave out the ternary rounding.
    """
    from transformers import BitNetConfig, BitNetForCausalLM

    torch.compiler.set_stance("force_eager")
    config = BitNetConfig.from_pretrained(folder)
    if getattr(config, "quantization_config", None) is None:
        config.quantization_config = _quantization_config("online").to_dict()
    with _sub_norm_as_wide_as_the_heads():
        network: Any = BitNetForCausalLM.from_pretrained(
            folder, config=config, dtype=torch.float32, attn_implementation="eager"
        )
    for tensor in [*network.parameters(), *network.buffers()]:
        if tensor.is_floating_point():  # with a quantizer, some keep their dtype on disk
            tensor.data = tensor.data.float()
    network.eval()
    return network


def round_master(master: torch.Tensor) -> torch.Tensor:
    """Round masters as transformers does in each forward pass: ternary times scale, in floats."""
    from transformers.integrations.bitnet import WeightQuant

    torch.compiler.set_stance("force_eager")
    autograd_function: Any = WeightQuant
    rounded: torch.Tensor = autograd_function.apply(master)
    return rounded


def _random_network(model: TinyModel, overrides: dict[str, Any]) -> Any:
    from transformers import BitNetConfig, BitNetForCausalLM

    special = special_tokens(model.vocab_size)
    values: dict[str, Any] = {
        "vocab_size": model.vocab_size,
        "hidden_size": model.hidden_size,
        "intermediate_size": model.mlp_size,
        "num_hidden_layers": model.num_layers,
        "num_attention_heads": model.num_heads,
        "num_key_value_heads": model.num_kv_heads,
        "max_position_embeddings": 512,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        "tie_word_embeddings": model.tied,
        "initializer_range": 0.4,
        "bos_token_id": special.begin_of_text,
        "eos_token_id": [special.end_of_text, special.end_of_turn],
    }
    if model.head_size is not None:
        values["head_dim"] = model.head_size
    torch.manual_seed(model.seed)
    with _sub_norm_as_wide_as_the_heads():
        network: Any = BitNetForCausalLM(BitNetConfig(**(values | overrides)))
    for name, parameter in network.named_parameters():
        if name.endswith("norm.weight"):
            torch.nn.init.normal_(parameter, mean=1.0, std=0.2)
    return network.to(model.dtype)


def _state_dict(network: Any, model: TinyModel) -> dict[str, torch.Tensor]:
    """Return what transformers saves of the network, in the model's form on disk."""
    from transformers.integrations.bitnet import pack_weights

    tensors: dict[str, torch.Tensor] = network.state_dict()
    if model.tied:
        del tensors["lm_head.weight"]
    if model.form in ("online", "master"):
        return tensors
    for name in [name for name in tensors if name.endswith("_proj.weight")]:
        master = tensors[name].float()
        absmean = master.abs().mean()
        ternary = (master / absmean).round().clamp(-1, 1)
        scale = 1 / absmean if model.form == "packed_inverse" else absmean
        tensors[f"{name}_scale"] = scale.reshape(1).to(model.dtype)
        unpacked = model.form == "unpacked"
        tensors[name] = ternary.to(model.dtype) if unpacked else pack_weights(ternary)
    return tensors


def _quantization_config(form: Form) -> Any:
    from transformers.utils.quantization_config import BitNetQuantConfig

    if form == "packed_inverse":
        return BitNetQuantConfig(linear_class="bitlinear")
    mode = "online" if form == "online" else "offline"
    return BitNetQuantConfig(linear_class="autobitlinear", quantization_mode=mode)


@contextlib.contextmanager
def _sub_norm_as_wide_as_the_heads() -> Iterator[None]:
    """Let transformers build heads whose total width is not the hidden size.

    It always makes attn_sub_norm as wide as the hidden size, and then fails to multiply.
    """
    from transformers.models.bitnet import modeling_bitnet

    attention: Any = modeling_bitnet.BitNetAttention
    original = attention.__init__

    def init(self: Any, config: Any, layer_idx: int) -> None:
        original(self, config, layer_idx)
        width = config.num_attention_heads * self.head_dim
        self.attn_sub_norm = modeling_bitnet.BitNetRMSNorm(width, eps=config.rms_norm_eps)

    attention.__init__ = init
    try:
        yield
    finally:
        attention.__init__ = original
