"""A GGUF file as a source, with all its shards: ``X-00001-of-00003.gguf`` leads to the others."""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sterna.engine.errors import CheckpointError
from sterna.engine.kernels import Floats
from sterna.engine.model.sources.digest import sampled_digest
from sterna.engine.model.sources.gguf.blocks import FLOATS
from sterna.engine.model.sources.gguf.container import MAGIC, GgufContainer, TensorHeader
from sterna.engine.model.sources.gguf.keys import as_config
from sterna.engine.model.sources.gguf.names import gguf_name
from sterna.engine.model.sources.gguf.ternary import (
    decode_ternary,
    group_of,
    has_groups,
    is_ternary,
)
from sterna.engine.model.sources.json_object import JsonObject
from sterna.engine.model.sources.source import Fingerprint, TernaryTensor
from sterna.engine.model.sources.unpacked import split_ternary
from sterna.engine.model.tensors import ModelTensors, Part

_SHARD: Final = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf")
_PERMUTED: Final = ("llama", "minicpm")  # archs whose rotation pairs neighbouring rows of q and k
_GROUP: Final = 128  # inputs that share a scale, at most
_PAIRED: Final = re.compile(r"blk\.\d+\.attn_([qk])\.weight")
_EMBEDDING, _HEAD, _ROPE_DIVISORS = "token_embd.weight", "output.weight", "rope_freqs.weight"


class Gguf:
    """See ``Source``. The keys are those of the first shard."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def opens(cls, path: Path) -> bool:
        """Take a file that begins as a GGUF file does, or is called one."""
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC or path.suffix == ".gguf"

    def config(self) -> JsonObject:
        """See ``Source``; the keys, in the words of config.json."""
        if _EMBEDDING not in self._tensors:
            raise CheckpointError(f"{self.path}: tensor {_EMBEDDING}: found nothing, expected it")
        num_rows, tied = self._tensors[_EMBEDDING].shape[0], _HEAD not in self._tensors
        config = as_config(str(self.path), self.keys, num_rows, tied=tied)
        config.fields["activation_group"] = self._activation_group()
        for name, tensor in (("ternary_embedding", _EMBEDDING), ("ternary_head", _HEAD)):
            config.fields[name] = tensor in self._tensors and is_ternary(self._tensors[tensor])
        if _ROPE_DIVISORS in self._tensors:
            config.fields["rope_parameters"]["divisors"] = self._decode(_ROPE_DIVISORS).tolist()
        return config

    @property
    def keys(self) -> Mapping[str, Any]:
        """What the file says beside its tensors."""
        return self._shards[0].keys

    def generation_config(self) -> None:
        """Return nothing: the keys are all that a file says."""

    def fingerprint(self) -> Fingerprint:
        """Return [name, size, time in ns, digest of samples] of each shard."""
        paths = [shard.path for shard in self._shards]
        return [
            [path.name, (stat := path.stat()).st_size, stat.st_mtime_ns, sampled_digest(path)]
            for path in paths
        ]

    def check(self, tensors: ModelTensors) -> None:
        """See ``Source``."""
        known = {_ROPE_DIVISORS}
        for tensor, shape in _expected(tensors):
            name = gguf_name(tensor)
            header = self._tensors.get(name)
            if header is None:
                raise self.error(tensor, "nothing", f"sizes {list(shape)}")
            if header.shape != shape:
                raise self.error(tensor, f"sizes {list(header.shape)}", f"sizes {list(shape)}")
            if header.type_id not in FLOATS and not is_ternary(header):
                raise self.error(tensor, f"type {header.type_id}", "a type that is served")
            known.add(name)
        for name in sorted(self._tensors.keys() - known):
            raise CheckpointError(f"{self.path}: tensor {name}: found it, expected no such tensor")

    def check_values(self, tensors: ModelTensors) -> None:
        """Check nothing: a tied head has no tensor of its own here."""

    def maps(self, tensor: str) -> bool:
        """See ``Source``."""
        return self._tensors[gguf_name(tensor)].type_id in _KEPT

    def floats(self, tensor: str) -> NDArray[np.generic]:
        """See ``Source``. Plain floats are mapped, blocks are decoded."""
        name = gguf_name(tensor)
        return self._plain(name) if self._tensors[name].type_id in _PLAIN else self._decode(name)

    def ternary(self, part: Part, inputs: int) -> TernaryTensor:
        """See ``Source``."""
        name = gguf_name(part.tensor)
        header = self._tensors[name]
        try:
            if not is_ternary(header):
                return self._unpaired(name, split_ternary(self._decode(name)))
            codes, scales = decode_ternary(header)
        except ValueError as error:
            raise self.error(part.tensor, error, "ternary weights") from None
        if (codes > 2).any():
            row, column = (int(index) for index in np.argwhere(codes > 2)[0])
            raise self.error(part.tensor, f"code 3 at [{row}, {column}]", "codes 0, 1, 2")
        return self._unpaired(name, TernaryTensor(codes.view(np.int8) - np.int8(1), scales))

    def error(self, tensor: str, found: object, expected: object) -> CheckpointError:
        """See ``Source``."""
        name = gguf_name(tensor)
        return CheckpointError(f"{self.path}: tensor {name}: found {found}, expected {expected}")

    @cached_property
    def _shards(self) -> list[GgufContainer]:
        return [GgufContainer(path) for path in _shard_paths(self.path)]

    @cached_property
    def _tensors(self) -> dict[str, TensorHeader]:
        tensors: dict[str, TensorHeader] = {}
        for shard in self._shards:
            for name, header in shard.tensors.items():
                if name in tensors:
                    raise CheckpointError(f"{shard.path}: tensor {name}: found it in two shards")
                tensors[name] = header
        return tensors

    def _activation_group(self) -> int:
        """Return how many inputs share a scale; 0: all of a row, as BitNet trains it."""
        headers = [header for header in self._tensors.values() if is_ternary(header)]
        arch = str(self.keys.get("general.architecture"))
        if arch.startswith("bitnet") or any(not has_groups(header) for header in headers):
            return 0
        return min([_GROUP, *(group_of(header) for header in headers)])

    def _plain(self, name: str) -> NDArray[np.generic]:
        header = self._tensors[name]
        dtype = np.dtype(_PLAIN[header.type_id])
        return header.data[: header.num_elements * dtype.itemsize].view(dtype).reshape(header.shape)

    def _decode(self, name: str) -> Floats:
        """Return a tensor as float32, whatever its type."""
        header = self._tensors[name]
        if is_ternary(header):
            codes, scales = decode_ternary(header)
            return (codes.reshape(*scales.shape, -1).astype(np.float32) - 1) * scales[..., None]
        blocks = FLOATS[header.type_id]
        num_bytes = header.num_elements // blocks.num_weights * blocks.num_bytes
        if header.shape[-1] % blocks.num_weights or not header.holds(num_bytes):
            raise CheckpointError(
                f"{self.path}: tensor {name}: found {len(header.data)} bytes of {blocks.name}, "
                f"expected {num_bytes} for sizes {list(header.shape)}"
            )
        return blocks.decode(header.data[:num_bytes].reshape(-1, blocks.num_bytes)).reshape(
            header.shape
        )

    def _unpaired(self, name: str, tensor: TernaryTensor) -> TernaryTensor:
        """Put the rows of q and k back in the order of transformers, halves instead of pairs."""
        keys = self.keys
        arch = keys.get("general.architecture")
        if arch not in _PERMUTED or not (found := _PAIRED.fullmatch(name)):
            return tensor
        heads = keys[f"{arch}.attention.head_count"]
        if found[1] == "k":
            heads = keys.get(f"{arch}.attention.head_count_kv", heads)

        def halves(rows: NDArray[np.generic]) -> NDArray[np.generic]:
            paired = rows.reshape(heads, -1, 2, rows.shape[1])
            return np.ascontiguousarray(paired.swapaxes(1, 2)).reshape(rows.shape)

        return TernaryTensor(halves(tensor.weights), halves(tensor.scales))  # type: ignore[arg-type]


_PLAIN: Final = {0: np.float32, 1: np.float16, 30: np.uint16}
_KEPT: Final = (0, 30)  # what the kernels take as it is: float32 and bfloat16


def _expected(tensors: ModelTensors) -> Iterator[tuple[str, tuple[int, ...]]]:
    for table in tensors.tables:
        yield table.tensor, table.shape
    for vector in tensors.vectors:
        yield vector.tensor, (vector.size,)
    for matrix in tensors.matrices:
        for part in matrix.parts:
            yield part.tensor, (part.outputs, matrix.inputs)


def _shard_paths(path: Path) -> list[Path]:
    if not (found := _SHARD.fullmatch(path.name)):
        return [path]
    stem, _, count = found.groups()
    paths = [path.with_name(f"{stem}-{n:05}-of-{count}.gguf") for n in range(1, int(count) + 1)]
    for shard in paths:
        if not shard.is_file():
            raise CheckpointError(f"{shard}: found nothing, expected a shard beside {path.name}")
    return paths
