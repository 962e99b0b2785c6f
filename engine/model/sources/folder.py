"""A folder in Hugging Face form: config.json, and all its tensors, each one accounted for.

Weights are in model.safetensors, or in several files that model.safetensors.index.json names.
No tensor may be missing, unknown, of another type or another shape.

Two kinds of needless tensors are let pass: ``rotary_emb.inv_freq`` buffers of old transformers
versions (computed from config.json anyway), and lm_head.weight beside a tied embedding, if it is
the same to the last bit.
"""

import hashlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sterna.engine.errors import CheckpointError
from sterna.engine.kernels import widen
from sterna.engine.model.sources.digest import sampled_digest
from sterna.engine.model.sources.expected_tensor import ExpectedTensor, floats, ternary_matrix
from sterna.engine.model.sources.json_object import JsonObject
from sterna.engine.model.sources.quantization import WeightForm, read_weight_form
from sterna.engine.model.sources.regular_file import read_regular
from sterna.engine.model.sources.safetensors_file import SafetensorsFile
from sterna.engine.model.sources.source import Fingerprint, TernaryTensor
from sterna.engine.model.sources.ternary import read_ternary
from sterna.engine.model.sources.unpacked import split_ternary
from sterna.engine.model.tensors import ModelTensors, Part

CONFIG_FILE: Final = "config.json"
GENERATION_CONFIG_FILE: Final = "generation_config.json"
WEIGHTS_FILE: Final = "model.safetensors"
INDEX_FILE: Final = "model.safetensors.index.json"
HEAD: Final = "lm_head.weight"
_OTHER_SUFFIXES: Final = (".bin", ".gguf", ".pt", ".pth", ".ckpt")  # most can hold code: never read
_NEEDLESS_SUFFIX: Final = ".rotary_emb.inv_freq"


class Folder:
    """See ``Source``. Headers are read when a tensor is first asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def opens(cls, path: Path) -> bool:
        """Take any folder: what is missing in it has its own complaint."""
        return path.is_dir()

    def config(self) -> JsonObject:
        """Read config.json; it must also state a known form of weights."""
        config = JsonObject.read(self.path / CONFIG_FILE)
        read_weight_form(config)
        return config

    def generation_config(self) -> JsonObject | None:
        """Read generation_config.json, where there is one."""
        file = self.path / GENERATION_CONFIG_FILE
        return JsonObject.read(file) if file.exists() else None

    def fingerprint(self) -> Fingerprint:
        """Return [name, size, time in ns, digest] of each file; weights are sampled."""
        config_file = self.path / CONFIG_FILE
        digests = {config_file: hashlib.sha256(read_regular(config_file)).hexdigest()}
        paths = {file.path for file in self.files.values()}
        digests |= {path: sampled_digest(path) for path in paths}
        return [
            [path.name, (stat := path.stat()).st_size, stat.st_mtime_ns, digest]
            for path, digest in sorted(digests.items())
        ]

    def check(self, tensors: ModelTensors) -> None:
        """See ``Source``."""
        known = set()
        for name, expected in self._expected(tensors):
            if name not in self.files:
                raise self.error(name, "nothing", expected)
            info = self.files[name].tensors[name]
            if not expected.allows(info):
                raise self.error(name, info, expected)
            known.add(name)
        for name in sorted(self.files.keys() - known):
            tied_head = name == HEAD and tensors.head is None
            if not tied_head and not name.endswith(_NEEDLESS_SUFFIX):
                raise self.error(name, self.files[name].tensors[name], "no tensor of this name")

    def check_values(self, tensors: ModelTensors) -> None:
        """Check that a head that is stored beside a tied embedding is the same."""
        if tensors.head is not None or HEAD not in self.files:
            return
        for embedding in (table.tensor for table in tensors.tables):
            if not self._same_data(HEAD, embedding):
                raise self.error(
                    HEAD, "other values", f"those of {embedding} (tie_word_embeddings)"
                )

    def maps(self, tensor: str) -> bool:
        """See ``Source``."""
        return self.files[tensor].tensors[tensor].type_name in ("BF16", "F32")

    def floats(self, tensor: str) -> NDArray[np.generic]:
        """See ``Source``."""
        return self.files[tensor].read(tensor)

    def ternary(self, part: Part, inputs: int) -> TernaryTensor:
        """See ``Source``."""
        if self._form is WeightForm.UNPACKED:
            try:
                return split_ternary(widen(self.floats(part.tensor)))
            except ValueError as error:
                raise self.error(part.tensor, error, "ternary weights, as floats") from None
        weights, scale = read_ternary(self, part.tensor, self._form, part.outputs)
        return TernaryTensor(weights, np.full((part.outputs, 1), scale, np.float32))

    def error(self, tensor: str, found: object, expected: object) -> CheckpointError:
        """See ``Source``."""
        path = self.files[tensor].path if tensor in self.files else self._listing
        return CheckpointError(f"{path}: tensor {tensor}: found {found}, expected {expected}")

    @cached_property
    def files(self) -> dict[str, SafetensorsFile]:
        """By tensor name, the file that holds it."""
        return _open_files(self.path)

    @cached_property
    def _form(self) -> WeightForm:
        return read_weight_form(JsonObject.read(self.path / CONFIG_FILE))

    @property
    def _listing(self) -> Path:
        """The file that should have told of a missing tensor."""
        weights = self.path / WEIGHTS_FILE
        return weights if weights.exists() else self.path / INDEX_FILE

    def _expected(self, tensors: ModelTensors) -> Iterator[tuple[str, ExpectedTensor]]:
        """Yield the name of every tensor that must be there, and what it may be."""
        for table in tensors.tables:
            yield table.tensor, floats(*table.shape)
        for vector in tensors.vectors:
            yield vector.tensor, floats(vector.size)
        for matrix in tensors.matrices:
            for part in matrix.parts:
                yield part.tensor, ternary_matrix(self._form, part.outputs, matrix.inputs)
                if self._form in (WeightForm.SCALE_MULTIPLIES, WeightForm.SCALE_DIVIDES):
                    yield f"{part.tensor}_scale", floats(1)

    def _same_data(self, name: str, other: str) -> bool:
        info, other_info = self.files[name].tensors[name], self.files[other].tensors[other]
        if (info.dtype, info.shape) != (other_info.dtype, other_info.shape):
            return False
        bits = f"u{info.dtype.itemsize}"
        return np.array_equal(self.floats(name).view(bits), self.floats(other).view(bits))


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
