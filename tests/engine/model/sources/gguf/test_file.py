"""A GGUF file gives the model that a folder of safetensors gives; what is wrong is one line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sterna.engine.errors import CheckpointError
from sterna.engine.model.load import load_weights, read_model_config
from sterna.engine.model.weights import ModelWeights
from sterna.engine.synth import shapes
from sterna.engine.synth.checkpoint import synthesize_checkpoint
from tests.engine.model.sources.gguf.converted import write_as_gguf
from tests.engine.tables import floats_of

TYPES = {"TQ1_0": 256, "TQ2_0": 256, "Q2_0": 64, "PQ2_0": 128, "PTQ1_0": 128}
ARCHS = ("bitnet-b1.58", "bitnet-25")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Scales that float16 holds, as there is no other in these types."""
    shape = shapes.Shape(256, 512, 2, 4, 2, 300, 256, 10_000.0)
    monkeypatch.setitem(shapes.SHAPES, "even", shape)
    synthesize_checkpoint("even", tmp_path / "model")
    return tmp_path / "model"


def assert_same(ours: ModelWeights, expected: ModelWeights) -> None:
    assert np.array_equal(floats_of(ours.embedding), floats_of(expected.embedding))
    assert np.array_equal(ours.norm, expected.norm)
    for layer, other in zip(ours.layers, expected.layers, strict=True):
        for name, matrix in layer.matrices.items():
            assert np.array_equal(matrix.codes, other.matrices[name].codes)
            assert np.array_equal(matrix.row_scales, other.matrices[name].row_scales)
        for name, norm in layer.norms.items():
            assert np.array_equal(norm, other.norms[name])


@pytest.mark.parametrize("type_name", TYPES)
@pytest.mark.parametrize("arch", ARCHS)
def test_is_the_same_model(folder: Path, tmp_path: Path, arch: str, type_name: str) -> None:
    file = write_as_gguf(folder, tmp_path / "model.gguf", arch, type_name)
    ours, expected = (load_weights(path, tmp_path / "cache") for path in (file, folder))
    assert ours.config.num_layers == expected.config.num_layers
    assert_same(ours, expected)


Keys = dict[str, object]


@pytest.mark.parametrize(
    ("keys", "parts"),
    [
        ({"general.architecture": "mamba"}, ["architectures", "mamba", "expected"]),
        ({"prism.hadamard.version": 1}, ["prism.hadamard.version", "found 1", "rotated weights"]),
        ({"bitnet-25.expert_count": 8}, ["bitnet-25.expert_count", "found 8", "not served"]),
        ({"bitnet-25.block_count": 3}, ["blk.2.", "found nothing"]),
        ({"bitnet-25.block_count": "2"}, ["num_hidden_layers", "an integer"]),
        ({"bitnet-25.rope.scaling.type": "su"}, ["rope_type", "su"]),
        ({"bitnet-25.rope.dimension_count": 32}, ["partial_rotary_factor", "0.5"]),
        ({"general.alignment": 3}, ["general.alignment", "found 3", "a power of two"]),
    ],
)
def test_keys_that_are_not_served(
    folder: Path, tmp_path: Path, keys: Keys, parts: list[str]
) -> None:
    file = write_as_gguf(folder, tmp_path / "model.gguf", "bitnet-25", "TQ2_0", **keys)
    with pytest.raises(CheckpointError) as caught:
        load_weights(file, tmp_path / "cache")
    message = str(caught.value)
    assert all(part in message for part in [str(file), *parts]), message
    assert "\n" not in message


def cut(num_bytes: int) -> Callable[[bytes], bytes]:
    return lambda content: content[:num_bytes]


@pytest.mark.parametrize(
    "damage",
    [
        cut(3), cut(20), cut(200), cut(900), cut(100_000), cut(-40),
        lambda content: b"GGUF" + b"\7" + content[5:],
        lambda content: content[:8] + b"\xff" * 8 + content[16:],
        lambda content: content[:24] + b"\xff" * 8 + content[32:],
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused_in_one_line(
    folder: Path, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    file = write_as_gguf(folder, tmp_path / "model.gguf", "bitnet-25", "TQ2_0")
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(CheckpointError, match=r"model.gguf.*: found .*, expected") as caught:
        load_weights(file, tmp_path / "cache")
    assert "\n" not in str(caught.value)


def test_a_code_of_three_is_refused(folder: Path, tmp_path: Path) -> None:
    file = write_as_gguf(folder, tmp_path / "model.gguf", "bitnet-25", "TQ2_0")
    content = bytearray(file.read_bytes())
    content[-66] = 0xFF  # the first byte of the last block
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"code 3 at \[255, \d+\], expected codes 0, 1, 2"):
        load_weights(file, tmp_path / "cache")


def test_reading_the_configuration_reads_no_weights(folder: Path, tmp_path: Path) -> None:
    file = write_as_gguf(folder, tmp_path / "model.gguf", "bitnet-25", "TQ2_0")
    assert read_model_config(file).max_context_tokens == 256
