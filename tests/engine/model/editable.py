"""A tiny valid checkpoint that a test takes apart: change its config or tensors, write, load."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from sterna.engine.synth.checkpoint import synthesize_checkpoint

Q_PROJ = "model.layers.0.self_attn.q_proj.weight"
Q_SCALE = "model.layers.0.self_attn.q_proj.weight_scale"
EMBEDDING = "model.embed_tokens.weight"


@dataclass
class EditableCheckpoint:
    """Changes reach the folder with ``write``."""

    folder: Path
    config: dict[str, Any]
    tensors: dict[str, Tensor]

    @classmethod
    def make(cls, folder: Path) -> "EditableCheckpoint":
        synthesize_checkpoint("tiny", folder)
        config = json.loads((folder / "config.json").read_text())
        return cls(folder, config, load_file(folder / "model.safetensors"))

    @property
    def weights_file(self) -> Path:
        return self.folder / "model.safetensors"

    def write(self) -> Path:
        (self.folder / "config.json").write_text(json.dumps(self.config))
        save_file(self.tensors, self.weights_file)
        return self.folder

    def write_shards(self) -> Path:
        """Write the tensors one by one into shards that an index lists."""
        self.write()
        self.weights_file.unlink()
        weight_map = {}
        for number, (name, tensor) in enumerate(self.tensors.items()):
            weight_map[name] = f"model-{number:05}.safetensors"
            save_file({name: tensor}, self.folder / weight_map[name])
        index = self.folder / "model.safetensors.index.json"
        index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
        return index
