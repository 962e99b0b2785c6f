"""Random GGUF files of published shapes: as ``checkpoint``, in the form that people download.

Every matrix is of one ternary type, with a scale for each of its blocks; embedding and head too,
in families whose published files have them so, else they are float16. Norms are float32.
"""

from collections.abc import Callable, Iterator
from math import sqrt
from pathlib import Path
from typing import Final

import numpy as np

from sterna.engine.errors import ConfigError
from sterna.engine.model.config import ModelConfig
from sterna.engine.model.families.registry import family_of, model_tensors
from sterna.engine.model.sources.gguf.keys import gguf_keys
from sterna.engine.model.sources.gguf.names import gguf_name
from sterna.engine.model.tensors import ModelTensors
from sterna.engine.synth.gguf_blocks import ENCODINGS, TernaryEncoding
from sterna.engine.synth.gguf_writer import GgufTensor, write_gguf
from sterna.engine.synth.shapes import shape_config
from sterna.engine.synth.tokenizer import gguf_tokenizer_keys

_CHUNK_WEIGHTS: Final = 1 << 20
_TERNARY_TABLES: Final = ("qwen3",)  # families whose embedding and head are published as ternary
_F32, _F16 = 0, 1


def synthesize_gguf(
    like: str,
    file: Path,
    type_name: str,
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> None:
    """Write a random file of the shape called ``like``, whose matrices are of one type.

    Needs little memory. ``progress`` is told of bytes written and bytes in all. Raises ConfigError
    for an unknown shape or type, and for a file that exists or cannot be written.
    """
    config = shape_config(like)
    if type_name not in ENCODINGS:
        known = ", ".join(ENCODINGS)
        raise ConfigError(f"unknown GGUF type {type_name!r}, expected one of {known}")
    if file.exists():
        raise ConfigError(f"{file}: found a file, expected a new name")
    tensors = list(_Random(ENCODINGS[type_name], seed).tensors(config, model_tensors(config)))
    arch = family_of(config).architectures[-1]
    keys = gguf_keys(config, arch) | gguf_tokenizer_keys(config.vocab_size)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_gguf(file, keys, tensors, progress or _ignore)
    except OSError as error:
        file.unlink(missing_ok=True)
        raise ConfigError(f"{file}: cannot be written: {error.strerror}") from error


def gguf_types() -> list[str]:
    """Name the types that can be written."""
    return list(ENCODINGS)


def _ignore(what: str, done: int, total: int) -> None:
    """Show no progress."""


class _Random:
    def __init__(self, encoding: TernaryEncoding, seed: int) -> None:
        self._encoding, self._random = encoding, np.random.default_rng(seed)

    def tensors(self, config: ModelConfig, tensors: ModelTensors) -> Iterator[GgufTensor]:
        """Yield all tensors of the network."""
        is_ternary = config.family in _TERNARY_TABLES
        for table in tensors.tables:
            name, deviation = gguf_name(table.tensor), 3 / sqrt(table.width)
            if is_ternary:
                yield self._ternary(name, table.shape, deviation * sqrt(1.5))
            else:
                yield self._floats(name, table.shape, 0.0, deviation, np.float16)
        for vector in tensors.vectors:
            yield self._floats(gguf_name(vector.tensor), (vector.size,), 1.0, 0.1, np.float32)
        for matrix in tensors.matrices:
            for part in matrix.parts:
                shape, scale = (part.outputs, matrix.inputs), sqrt(1.5 / matrix.inputs)
                yield self._ternary(gguf_name(part.tensor), shape, scale)

    def _floats(
        self, name: str, shape: tuple[int, ...], mean: float, deviation: float, dtype: type
    ) -> GgufTensor:
        def chunks() -> Iterator[bytes]:
            for count in _chunk_sizes(int(np.prod(shape)), _CHUNK_WEIGHTS):
                values = self._random.standard_normal(count, np.float32)
                yield (values * deviation + mean).astype(dtype).tobytes()

        type_id = _F16 if dtype is np.float16 else _F32
        num_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return GgufTensor(name, type_id, shape, num_bytes, chunks)

    def _ternary(self, name: str, shape: tuple[int, int], scale: float) -> GgufTensor:
        weights = self._encoding.num_weights
        if shape[1] % weights:
            raise ConfigError(f"{name}: {shape[1]} inputs are no multiple of a block of {weights}")
        num_blocks = shape[0] * shape[1] // weights

        def encode(count: int) -> bytes:
            codes = self._random.integers(0, 3, (count, weights), np.uint8)
            scales = self._random.uniform(0.5, 1.5, count).astype(np.float32) * np.float32(scale)
            return self._encoding.encode(codes, scales).tobytes()

        def chunks() -> Iterator[bytes]:
            yield from map(encode, _chunk_sizes(num_blocks, _CHUNK_WEIGHTS // weights))

        block_bytes = self._encoding.num_bytes
        return GgufTensor(name, self._encoding.type_id, shape, num_blocks * block_bytes, chunks)


def _chunk_sizes(total: int, largest: int) -> Iterator[int]:
    for begin in range(0, total, largest):
        yield min(largest, total - begin)
