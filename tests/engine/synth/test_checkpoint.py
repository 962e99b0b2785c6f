"""A synthetic checkpoint loads, here and in transformers, and its activations stay sane."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from safetensors.torch import load_file

from sterna.engine.errors import ConfigError
from sterna.engine.model.families.registry import model_tensors
from sterna.engine.model.load import load_weights
from sterna.engine.synth.checkpoint import synthesize_checkpoint
from sterna.engine.synth.shapes import SHAPES, shape_config
from tests.tiny_model import reference_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synth") / "new" / "small"
    synthesize_checkpoint("small", folder)
    return folder


def test_has_the_shape_asked_for(folder: Path, tmp_path: Path) -> None:
    weights = load_weights(folder, tmp_path)
    assert weights.config == shape_config("small")
    assert len(weights.layers) == weights.config.num_layers
    # end of text from config.json, end of turn from generation_config.json, as published
    assert weights.config.eos_token_ids == {4096 - 16 + 1, 4096 - 16 + 9}


def test_published_shape_of_2b_4t() -> None:
    config = shape_config("bitnet-b1.58-2B-4T")
    assert model_tensors(config).num_parameters == 2_412_820_480
    assert model_tensors(config).num_ternary == 2_084_044_800
    assert config.eos_token_ids == {128_001, 128_009}


def test_activations_keep_their_size(folder: Path) -> None:
    """Logits deviate by about the three nats that were aimed at, at every position."""
    reference = reference_model(folder)
    with torch.inference_mode():
        logits = reference(torch.randint(0, 4096, (1, 100))).logits
    deviations = logits.std(dim=-1)
    assert deviations.min() > 2
    assert deviations.max() < 4


def test_seed_decides(folder: Path, tmp_path: Path) -> None:
    synthesize_checkpoint("small", tmp_path / "same", seed=0)
    synthesize_checkpoint("small", tmp_path / "other", seed=1)
    data = [path / "model.safetensors" for path in (folder, tmp_path / "same", tmp_path / "other")]
    first, same, other = (path.read_bytes() for path in data)
    assert first == same
    assert first != other


def test_codes_are_equally_frequent(folder: Path) -> None:
    packed = load_file(folder / "model.safetensors")["model.layers.0.mlp.gate_proj.weight"]
    codes = torch.stack([(packed >> shift) & 3 for shift in (0, 2, 4, 6)])
    shares = torch.bincount(codes.flatten()) / codes.numel()
    assert shares.tolist() == pytest.approx([1 / 3] * 3, abs=0.03)


def test_progress_is_in_bytes(tmp_path: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    synthesize_checkpoint("tiny", tmp_path / "tiny", progress=lambda *call: calls.append(call))
    done, total = [call[1] for call in calls], calls[0][2]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, total)
    assert total < (tmp_path / "tiny" / "model.safetensors").stat().st_size < total + 10_000


def test_unknown_shape(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown shape 'gpt-5', expected one of bitnet-b1\.58"):
        synthesize_checkpoint("gpt-5", tmp_path)


def test_negative_seed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="seed must be 0 or more, found -1"):
        synthesize_checkpoint("tiny", tmp_path, seed=-1)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(ConfigError, match="found files, expected a new or empty folder"):
        synthesize_checkpoint("tiny", tmp_path)


@pytest.mark.parametrize(
    ("error", "raised"),
    [(KeyboardInterrupt(), KeyboardInterrupt), (OSError(28, "No space left"), ConfigError)],
)
def test_interrupted_writing_leaves_nothing(
    tmp_path: Path, error: BaseException, raised: type[BaseException]
) -> None:
    def interrupt(what: str, done: int, total: int) -> None:
        if done > total / 2:
            raise error

    with pytest.raises(raised):
        synthesize_checkpoint("tiny", tmp_path / "tiny", progress=interrupt)
    assert list((tmp_path / "tiny").iterdir()) == []


def test_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cannot be written: (Not a directory|File exists)"):
        synthesize_checkpoint("tiny", tmp_path / "file" / "folder")


@pytest.mark.slow
@pytest.mark.parametrize("like", SHAPES)
def test_every_shape_loads(like: str, tmp_path: Path) -> None:
    with TemporaryDirectory(dir=tmp_path) as name:  # gigabytes: not to be kept with tmp_path
        folder = Path(name)
        synthesize_checkpoint(like, folder / "model")
        weights = load_weights(folder / "model", folder / "cache")
        assert weights.config == shape_config(like)
