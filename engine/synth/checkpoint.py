"""Random checkpoints of published shapes: what a benchmark needs of a model, without its weights.

The folder is complete: packed ternary weights, bfloat16 embedding, a tokenizer as large as the
vocabulary. It runs as fast as the model whose shape it has and says nothing meaningful. Scales are
chosen so that activations keep their size from layer to layer.

Shapes come from the published models' configurations; the network is always that of 2B-4T, which
is not quite that of the models before it.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod, sqrt
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from sterna.engine.errors import ConfigError
from sterna.engine.model.config import (
    ARCHITECTURE,
    CONFIG_FILE,
    GENERATION_CONFIG_FILE,
    ModelConfig,
)
from sterna.engine.model.sources.folder import WEIGHTS_FILE
from sterna.engine.model.sources.quantization import WeightForm
from sterna.engine.model.tensor_names import (
    EMBEDDING,
    FINAL_NORM,
    NORMS,
    layer_tensor,
    matrix_shapes,
    norm_sizes,
)
from sterna.engine.synth.tokenizer import special_tokens, write_tokenizer

_CHUNK_BYTES: Final = 8 * 1024 * 1024
_WRITING: Final = "Writing weights"
_LOGIT_DEVIATION: Final = 3.0  # of random logits, in nats: neither flat nor decided
_TERNARY_VARIANCE: Final = 2 / 3  # of weights that are -1, 0 and 1 equally often
_VALID_BYTES: Final = [byte for byte in range(256) if not byte & (byte >> 1) & 0b01_01_01_01]
_TO_VALID_BYTE: Final = bytes(_VALID_BYTES[byte % len(_VALID_BYTES)] for byte in range(256))
"""Turns uniform bytes into packed weights: four codes of 0, 1 or 2 each."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes that make a model. Sizes are in elements, the context in tokens."""

    hidden_size: int
    mlp_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    vocab_size: int
    max_context_tokens: int
    rope_theta: float


SHAPES: Final = {
    "bitnet-b1.58-2B-4T": Shape(2560, 6912, 30, 20, 5, 128_256, 4096, 500_000.0),
    "bitnet-b1.58-3B": Shape(3200, 8640, 26, 32, 32, 32_002, 2048, 10_000.0),
    "bitnet-b1.58-large": Shape(1536, 4096, 24, 16, 16, 32_002, 2048, 10_000.0),
    "small": Shape(256, 704, 4, 4, 2, 4096, 1024, 10_000.0),
    "tiny": Shape(64, 160, 2, 4, 2, 512, 512, 10_000.0),
}


def shape_names() -> list[str]:
    """Name the shapes that can be had."""
    return list(SHAPES)


def shape_config(like: str) -> ModelConfig:
    """Return the configuration that a checkpoint of this shape has.

    Raises ConfigError for an unknown shape.
    """
    if like not in SHAPES:
        raise ConfigError(f"unknown shape {like!r}, expected one of {', '.join(SHAPES)}")
    shape = SHAPES[like]
    special = special_tokens(shape.vocab_size)
    return ModelConfig(
        vocab_size=shape.vocab_size,
        hidden_size=shape.hidden_size,
        mlp_size=shape.mlp_size,
        num_layers=shape.num_layers,
        num_heads=shape.num_heads,
        num_kv_heads=shape.num_kv_heads,
        head_size=shape.hidden_size // shape.num_heads,
        rope_theta=shape.rope_theta,
        norm_eps=1e-5,
        max_context_tokens=shape.max_context_tokens,
        eos_token_ids=frozenset({special.end_of_text, special.end_of_turn}),
        bos_token_id=special.begin_of_text,
        tie_embeddings=True,
        weight_form=WeightForm.SCALE_MULTIPLIES,
    )


def synthesize_checkpoint(
    like: str,
    folder: Path,
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
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
            tensors = list(_random_tensors(config, seed))
            _write_safetensors(folder / WEIGHTS_FILE, tensors, progress or _ignore)
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
    network = {
        "architectures": [ARCHITECTURE],
        "bos_token_id": special.begin_of_text,
        "dtype": "bfloat16",
        "eos_token_id": special.end_of_text,
        "hidden_act": "relu2",
        "hidden_size": config.hidden_size,
        "intermediate_size": config.mlp_size,
        "max_position_embeddings": config.max_context_tokens,
        "model_type": "bitnet",
        "num_attention_heads": config.num_heads,
        "num_hidden_layers": config.num_layers,
        "num_key_value_heads": config.num_kv_heads,
        "quantization_config": {
            "linear_class": "autobitlinear",
            "quant_method": "bitnet",
            "quantization_mode": "offline",
        },
        "rms_norm_eps": config.norm_eps,
        "rope_parameters": {"rope_theta": config.rope_theta, "rope_type": "default"},
        "tie_word_embeddings": config.tie_embeddings,
        "vocab_size": config.vocab_size,
    }
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


@dataclass(frozen=True, slots=True)
class _RandomTensor:
    """A tensor to write. dtype: as safetensors names it. chunks: makes the bytes, in order."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    num_bytes: int
    chunks: Callable[[], Iterator[bytes]]


def _random_tensors(config: ModelConfig, seed: int) -> Iterator[_RandomTensor]:
    """Yield all tensors of the network; their bytes depend on the seed and their order only."""
    generator = torch.Generator().manual_seed(seed)
    packed_bytes = np.random.default_rng(seed)

    def normal(name: str, shape: tuple[int, ...], mean: float, deviation: float) -> _RandomTensor:
        def chunks() -> Iterator[bytes]:
            for count in _chunk_sizes(prod(shape), _CHUNK_BYTES // 2):
                values = torch.empty(count).normal_(mean, deviation, generator=generator)
                yield values.bfloat16().view(torch.uint8).numpy().tobytes()

        return _RandomTensor(name, "BF16", shape, 2 * prod(shape), chunks)

    def packed(name: str, shape: tuple[int, int]) -> _RandomTensor:
        def chunks() -> Iterator[bytes]:
            for count in _chunk_sizes(prod(shape), _CHUNK_BYTES):
                yield packed_bytes.bytes(count).translate(_TO_VALID_BYTE)

        return _RandomTensor(name, "U8", shape, prod(shape), chunks)

    embedding_shape = config.vocab_size, config.hidden_size
    yield normal(EMBEDDING, embedding_shape, 0.0, _LOGIT_DEVIATION / sqrt(config.hidden_size))
    for layer in range(config.num_layers):
        for name, size in norm_sizes(config).items():
            yield normal(layer_tensor(layer, NORMS[name]), (size,), 1.0, 0.1)
        for module, (outputs, inputs) in matrix_shapes(config).items():
            yield packed(layer_tensor(layer, module), (-(-outputs // 4), inputs))
            scale = 1 / sqrt(inputs * _TERNARY_VARIANCE)  # unit inputs give unit outputs
            yield normal(layer_tensor(layer, module, "weight_scale"), (1,), scale, 0.0)
    yield normal(FINAL_NORM, (config.hidden_size,), 1.0, 0.1)


def _chunk_sizes(total: int, largest: int) -> Iterator[int]:
    for begin in range(0, total, largest):
        yield min(largest, total - begin)


def _write_safetensors(
    file: Path, tensors: list[_RandomTensor], progress: Callable[[str, int, int], None]
) -> None:
    """Write the tensors chunk by chunk: the header needs only their sizes."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    position = 0
    for tensor in tensors:
        end = position + tensor.num_bytes
        header[tensor.name] = {
            "dtype": tensor.dtype,
            "shape": tensor.shape,
            "data_offsets": [position, end],
        }
        position = end
    text = json.dumps(header).encode()
    text = text.ljust(-(-len(text) // 8) * 8)
    total, written = position, 0
    with file.open("wb") as output:
        output.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors:
            for chunk in tensor.chunks():
                progress(_WRITING, written, total)
                output.write(chunk)
                written += len(chunk)
    progress(_WRITING, total, total)
