"""``sterna synth`` writes a checkpoint that loads; what it refuses is one line and exit code 2."""

from pathlib import Path

import pytest

from sterna.engine import EngineConfig
from sterna.engine.energy.meter import EnergyMeter
from sterna.engine.load import load_engine
from sterna.server.__main__ import main


def test_writes_a_checkpoint_that_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "model"
    assert main(["synth", "--like", "tiny", str(folder)]) == 0
    assert f"sterna serve {folder}" in capsys.readouterr().out
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    config = EngineConfig(
        model_path=folder, backend="reference", kv_cache_tokens=1024, cache_dir=tmp_path / "cache"
    )
    model = load_engine(config, EnergyMeter()).model
    assert model.vocab_size == 512


def test_refuses_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["synth", "--like", "gpt-5", str(tmp_path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("sterna: error: unknown shape 'gpt-5', expected one of ")


def test_help_names_the_shapes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["synth", "--help"])
    assert "tiny" in capsys.readouterr().out
