"""Checkpoints of a run, written whole or not at all."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from training.model import Network, NetworkConfig


def save(state: dict[str, Any], path: Path) -> None:
    """Write beside the file and rename, so that an interruption leaves the old one whole."""
    unfinished = path.with_suffix(".tmp")
    torch.save(state, unfinished)
    unfinished.replace(path)


def save_best(network: Network, progress: dict[str, float], path: Path) -> None:
    """Write weights and shape of ``network``, and how far it has come."""
    state = {"config": asdict(network.config), "weights": network.state_dict(), **progress}
    save(state, path)


def load_best(path: Path) -> tuple[Network, dict[str, float]]:
    """Return the network as it will be exported, and its progress.

    The embedding is rounded to bf16, so that a server that keeps it in 16 bits loses nothing.
    """
    state = torch.load(path, weights_only=True)
    network = Network(NetworkConfig(**state.pop("config")))
    network.load_state_dict(state.pop("weights"))
    embedding = network.embed_tokens.weight
    embedding.data = embedding.data.bfloat16().float()
    return network.eval(), state
