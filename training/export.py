"""Write a run's best network as a Hugging Face checkpoint, its ternary weights packed.

``python -m training.export --run training/runs/ternary --to server/builtin_model``
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor

from training import tokenizer
from training.checkpoint import load_best
from training.model import BitLinear, Network, NetworkConfig, quantise_weights

MAX_CONTEXT_TOKENS = 512  # the longest rows that the network was trained on
TEMPERATURE, TOP_P = 0.5, 0.9  # of generation_config.json; at 1.0 the network makes up words


def pack(ternary: Tensor) -> Tensor:
    """Pack weights in {-1, 0, 1} [N, K], N a multiple of 4, into uint8 [N/4, K].

    Byte [r, c] holds weight + 1 of rows r, r + N/4, r + N/2, r + 3N/4, lowest bits first.
    """
    lowest, low, high, highest = (ternary + 1).to(torch.uint8).chunk(4)
    return lowest | low << 2 | high << 4 | highest << 6


def tensors(network: Network) -> dict[str, Tensor]:
    """Return all tensors of the checkpoint: packed, the others in float32.

    The embedding's values fit bf16 (see ``load_best``), but it is stored as float32: transformers
    keeps each tensor of a quantised checkpoint as it is stored, and cannot multiply a mixture.
    """
    ternary = {name for name, m in network.named_modules() if isinstance(m, BitLinear)}
    found: dict[str, Tensor] = {}
    for name, value in network.state_dict().items():
        if name.removesuffix(".weight") in ternary:
            weights, scale = quantise_weights(value)
            found[f"model.{name}"] = pack(weights)
            found[f"model.{name}_scale"] = (1.0 / scale).reshape(1)
        else:
            found[f"model.{name}"] = value
    return found


def config_json(config: NetworkConfig, bos: int, end: int) -> dict[str, Any]:
    """Return config.json, with the rotary base where transformers 4 and where 5 looks for it."""
    return {
        "architectures": ["BitNetForCausalLM"],
        "model_type": "bitnet",
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.mlp_size,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.num_kv_heads,
        "head_dim": config.head_size,
        "hidden_act": "relu2",
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "max_position_embeddings": MAX_CONTEXT_TOKENS,
        "tie_word_embeddings": True,
        "bos_token_id": bos,
        "eos_token_id": end,
        "pad_token_id": end,
        "dtype": "float32",
        "quantization_config": {
            "quant_method": "bitnet",
            "linear_class": "autobitlinear",
            "quantization_mode": "offline",
        },
    }


def export(network: Network, vocabulary: Tokenizer, folder: Path) -> None:
    """Write the checkpoint into ``folder``; a model card that is there stays."""
    folder.mkdir(parents=True, exist_ok=True)
    bos, end = (tokenizer.id_of(vocabulary, token) for token in (tokenizer.BOS, tokenizer.END))
    weights = folder / "model.safetensors"
    save_file(tensors(network), weights, metadata={"format": "pt"})
    weights.chmod(0o644)  # it ships in a wheel: readable by all, which save_file does not make it
    tokenizer.save(vocabulary, folder, MAX_CONTEXT_TOKENS)
    _write_json(folder / "config.json", config_json(network.config, bos, end))
    generation = {
        "bos_token_id": bos,
        "eos_token_id": end,
        "pad_token_id": end,
        "do_sample": True,
        "temperature": TEMPERATURE,
        "top_p": TOP_P,
    }
    _write_json(folder / "generation_config.json", generation)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Parse the arguments and export."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--to", type=Path, required=True, help="folder of the checkpoint")
    arguments = parser.parse_args()
    network, progress = load_best(arguments.run / "best.pt")
    export(network, Tokenizer.from_file(str(arguments.run / "tokenizer.json")), arguments.to)
    num_bytes = sum(path.stat().st_size for path in arguments.to.iterdir())
    print(f"step {progress['step']} exported to {arguments.to}: {num_bytes / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
