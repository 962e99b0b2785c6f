"""A folder in Hugging Face form: all its tensors, each one accounted for.

Weights are in model.safetensors, or in several files that model.safetensors.index.json names.
Opening reads headers only; no tensor may be missing, unknown, of another type or another shape.

Two kinds of needless tensors are let pass: ``rotary_emb.inv_freq`` buffers of old transformers
versions (computed from config.json anyway), and lm_head.weight beside a tied embedding, if it is
the same to the last bit.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from sterna.engine.errors import CheckpointError
from sterna.engine.model.config import CONFIG_FILE, ModelConfig
from sterna.engine.model.sources.json_object import JsonObject
from sterna.engine.model.sources.safetensors_file import SafetensorsFile
from sterna.engine.model.tensor_names import EMBEDDING, HEAD, expected_tensors

WEIGHTS_FILE: Final = "model.safetensors"
INDEX_FILE: Final = "model.safetensors.index.json"
_OTHER_SUFFIXES: Final = (".bin", ".gguf", ".pt", ".pth", ".ckpt")  # most can hold code: never read
_NEEDLESS_SUFFIX: Final = ".rotary_emb.inv_freq"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """An opened checkpoint. files: by tensor name, the file that holds it."""

    folder: Path
    files: dict[str, SafetensorsFile]

    @classmethod
    def open(cls, folder: Path, config: ModelConfig) -> "Checkpoint":
        """Open all files and account for all tensors; raises CheckpointError."""
        checkpoint = cls(folder, _open_files(folder))
        checkpoint._check_tensors(config)
        return checkpoint

    def read(self, name: str) -> Tensor:
        """Return a tensor as it is on disk, memory-mapped, not to be written to."""
        return self.files[name].read(name)

    def error(self, name: str, found: object, expected: object) -> CheckpointError:
        """Return the complaint that a tensor is not what it should be."""
        path = self.files[name].path if name in self.files else self._listing
        return CheckpointError(f"{path}: tensor {name}: found {found}, expected {expected}")

    def check_tied_head(self) -> None:
        """Raise CheckpointError where a tied checkpoint stores a head unlike its embedding."""
        if HEAD in self.files and not self._same_data(HEAD, EMBEDDING):
            raise self.error(HEAD, "other values", f"those of {EMBEDDING} (tie_word_embeddings)")

    def fingerprint(self) -> list[list[str | int]]:
        """Return what changes when config.json or the weights do: [name, size, time, digest] each.

        Times are in ns. The digests of weights are of samples of their files.
        """
        config_file = self.folder / CONFIG_FILE
        digests = {config_file: hashlib.sha256(config_file.read_bytes()).hexdigest()}
        digests |= {file.path: file.digest() for file in set(self.files.values())}
        return [
            [path.name, (stat := path.stat()).st_size, stat.st_mtime_ns, digest]
            for path, digest in sorted(digests.items())
        ]

    @property
    def _listing(self) -> Path:
        """The file that should have told of a missing tensor."""
        weights = self.folder / WEIGHTS_FILE
        return weights if weights.exists() else self.folder / INDEX_FILE

    def _check_tensors(self, config: ModelConfig) -> None:
        known = set()
        for name, expected in expected_tensors(config):
            if name not in self.files:
                raise self.error(name, "nothing", expected)
            info = self.files[name].tensors[name]
            if not expected.allows(info):
                raise self.error(name, info, expected)
            known.add(name)
        for name in sorted(self.files.keys() - known):
            tied_head = name == HEAD and config.tie_embeddings
            if not tied_head and not name.endswith(_NEEDLESS_SUFFIX):
                raise self.error(name, self.files[name].tensors[name], "no tensor of this name")

    def _same_data(self, name: str, other: str) -> bool:
        info, other_info = self.files[name].tensors[name], self.files[other].tensors[other]
        if (info.dtype, info.shape) != (other_info.dtype, other_info.shape):
            return False
        return torch.equal(self.read(name).view(torch.uint8), self.read(other).view(torch.uint8))


def _open_files(folder: Path) -> dict[str, SafetensorsFile]:
    """Open one file or all shards; each tensor must be where the index says, and only there."""
    weights, index = folder / WEIGHTS_FILE, folder / INDEX_FILE
    if weights.exists():
        file = SafetensorsFile(weights)
        return dict.fromkeys(file.tensors, file)
    if not index.exists():
        others = sorted(path.name for path in folder.iterdir() if path.suffix in _OTHER_SUFFIXES)
        found = ", ".join(others) or "no weights"
        raise CheckpointError(f"{folder}: found {found}, expected {WEIGHTS_FILE} or {INDEX_FILE}")
    shard_names = _read_index(index)
    shards = {name: SafetensorsFile(folder / name) for name in sorted(set(shard_names.values()))}
    for shard_name, shard in shards.items():
        for name, info in shard.tensors.items():
            if shard_names.get(name) != shard_name:
                raise CheckpointError(
                    f"{shard.path}: tensor {name}: found {info}, expected no tensor of this name: "
                    f"{INDEX_FILE} does not place it here"
                )
    for name, shard_name in shard_names.items():
        if name not in shards[shard_name].tensors:
            raise CheckpointError(
                f"{folder / shard_name}: tensor {name}: found nothing, expected it here by "
                f"{INDEX_FILE}"
            )
    return {name: shards[shard_name] for name, shard_name in shard_names.items()}


def _read_index(index: Path) -> dict[str, str]:
    """Return the file name of every tensor's shard; shards lie beside the index."""
    weight_map = JsonObject.read(index).object("weight_map")
    if weight_map is None or not weight_map.fields:
        raise CheckpointError(f"{index}: weight_map: found nothing, expected tensors and files")
    for name, shard_name in weight_map.fields.items():
        if not isinstance(shard_name, str) or Path(shard_name).name != shard_name:
            raise weight_map.error(name, "the name of a file in the same folder")
    return weight_map.fields
