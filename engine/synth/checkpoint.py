"""Random checkpoints of published shapes: what a benchmark needs of a model, without its weights.

The folder is complete: packed ternary weights, bfloat16 embedding, a tokenizer as large as the
vocabulary. It runs as fast as the model whose shape it has and says nothing meaningful. Scales are
chosen so that activations keep their size from layer to layer.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod, sqrt
from pathlib import Path
from typing import Any, Final

import numpy as np

from sterna.engine.errors import ConfigError
from sterna.engine.kernels import narrow
from sterna.engine.model.config import ModelConfig
from sterna.engine.model.families.registry import family_of, model_tensors
from sterna.engine.model.sources.folder import CONFIG_FILE, GENERATION_CONFIG_FILE, WEIGHTS_FILE
from sterna.engine.model.tensors import Matrix, Part, Vector, VocabTable
from sterna.engine.progress import Progress
from sterna.engine.synth.safetensors_writer import WrittenTensor, write_safetensors
from sterna.engine.synth.shapes import shape_config
from sterna.engine.synth.tokenizer import special_tokens, write_tokenizer

_CHUNK_BYTES: Final = 8 * 1024 * 1024
_LOGIT_DEVIATION: Final = 3.0  # of random logits, in nats: neither flat nor decided
_TERNARY_VARIANCE: Final = 2 / 3  # of weights that are -1, 0 and 1 equally often
_VALID_BYTES: Final = [byte for byte in range(256) if not byte & (byte >> 1) & 0b01_01_01_01]
_TO_VALID_BYTE: Final = bytes(_VALID_BYTES[byte % len(_VALID_BYTES)] for byte in range(256))
"""Turns uniform bytes into packed weights: four codes of 0, 1 or 2 each."""
_QUANTIZATION: Final = {
    "linear_class": "autobitlinear",
    "quant_method": "bitnet",
    "quantization_mode": "offline",
}


def synthesize_checkpoint(
    like: str,
    folder: Path,
    seed: int = 0,
    progress: Progress | None = None,
) -> None:
    """Write a random packed checkpoint of the shape called ``like`` into a new or empty folder.

    Needs little memory. ``progress`` is told of bytes written and bytes in all. Raises ConfigError
    for an unknown shape, a negative seed, and a folder that is not empty or cannot be written.
    """
    config = shape_config(like)
    if seed < 0:
        raise ConfigError(f"seed must be 0 or more, found {seed}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _all_or_nothing(folder):
            _write_configs(folder, config)
            write_tokenizer(folder, config.vocab_size, config.max_context_tokens)
            tensors = list(_RandomTensors(seed).of(config))
            write_safetensors(folder / WEIGHTS_FILE, tensors, progress or _ignore)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written: {error.strerror}") from error


def _ignore(what: str, done: int, total: int) -> None:
    """Show no progress."""


@contextmanager
def _all_or_nothing(folder: Path) -> Iterator[None]:
    """Leave the folder empty, as it must be at first, unless all goes well."""
    if any(folder.iterdir()):
        raise ConfigError(f"{folder}: found files, expected a new or empty folder")
    try:
        yield
    except BaseException:
        for file in folder.iterdir():
            file.unlink()
        raise


def _write_configs(folder: Path, config: ModelConfig) -> None:
    special = special_tokens(config.vocab_size)
    network = family_of(config).to_json(config) | {"quantization_config": _QUANTIZATION}
    generation = {
        "bos_token_id": special.begin_of_text,
        "do_sample": True,
        "eos_token_id": [special.end_of_text, special.end_of_turn],
        "temperature": 0.6,
        "top_p": 0.9,
    }
    _write_json(folder / CONFIG_FILE, network)
    _write_json(folder / GENERATION_CONFIG_FILE, generation)


def _write_json(file: Path, fields: dict[str, Any]) -> None:
    file.write_text(json.dumps(fields, indent=2) + "\n")


class _RandomTensors:
    """Makes tensors whose bytes depend on the seed and on their order only."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def of(self, config: ModelConfig) -> Iterator[WrittenTensor]:
        """Yield all tensors of the network."""
        tensors = model_tensors(config)
        for table in tensors.tables:
            yield self._table(table)
        for layer in tensors.layers:
            for vector in layer.vectors:
                yield self._norm(vector)
            for matrix in layer.matrices:
                for part in matrix.parts:
                    yield from self._matrix(matrix, part)
        yield self._norm(tensors.norm)

    def _table(self, table: VocabTable) -> WrittenTensor:
        return self._normal(table.tensor, table.shape, 0.0, _LOGIT_DEVIATION / sqrt(table.width))

    def _norm(self, vector: Vector) -> WrittenTensor:
        return self._normal(vector.tensor, (vector.size,), 1.0, 0.1)

    def _matrix(self, matrix: Matrix, part: Part) -> Iterator[WrittenTensor]:
        yield self._packed(part.tensor, (-(-part.outputs // 4), matrix.inputs))
        scale = 1 / sqrt(matrix.inputs * _TERNARY_VARIANCE)  # unit inputs give unit outputs
        yield self._normal(f"{part.tensor}_scale", (1,), scale, 0.0)

    def _normal(
        self, name: str, shape: tuple[int, ...], mean: float, deviation: float
    ) -> WrittenTensor:
        def chunks() -> Iterator[bytes]:
            for count in _chunk_sizes(prod(shape), _CHUNK_BYTES // 2):
                values = self._random.standard_normal(count, np.float32)
                yield narrow(values * np.float32(deviation) + np.float32(mean)).tobytes()

        return WrittenTensor(name, "BF16", shape, 2 * prod(shape), chunks)

    def _packed(self, name: str, shape: tuple[int, int]) -> WrittenTensor:
        def chunks() -> Iterator[bytes]:
            for count in _chunk_sizes(prod(shape), _CHUNK_BYTES):
                yield self._random.bytes(count).translate(_TO_VALID_BYTE)

        return WrittenTensor(name, "U8", shape, prod(shape), chunks)


def _chunk_sizes(total: int, largest: int) -> Iterator[int]:
    for begin in range(0, total, largest):
        yield min(largest, total - begin)
