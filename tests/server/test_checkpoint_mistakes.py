"""Whatever a checkpoint holds, a start that fails is one line and exit code 2, in time."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from sterna.server.__main__ import main
from sterna.server.checkpoint import BUILTIN_FOLDER
from tests.server.scripted import LIMIT_SECONDS
from tests.server.serving import real_app

DEEP = 100_000
FILES = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
         "chat_template.jinja", "model.safetensors"]  # fmt: skip
Edit = Callable[[Path], object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copytree(BUILTIN_FOLDER, tmp_path / "model")


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sterna.server.logs.configure", lambda level, form: None)


def start(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """The line of a start that fails."""
    cache = str(folder.parent / "cache")
    assert main(["serve", str(folder), "--port", "0", "--cache-dir", cache, *options]) == 2
    error = capsys.readouterr().err
    assert error.startswith("sterna: error: ")
    assert error.count("\n") == 1
    assert len(error) < 600
    return error


def set_field(name: str, value: object) -> Edit:
    def edit(folder: Path) -> None:
        file = folder / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {name: value}))

    return edit


def write(name: str, text: str) -> Edit:
    return lambda folder: (folder / name).write_text(text)


def rename_token(folder: Path) -> None:
    file = folder / "tokenizer.json"
    tokenizer: dict[str, Any] = json.loads(file.read_text())
    vocabulary = tokenizer["model"]["vocab"]
    assert "merges" in tokenizer["model"]
    last = max(vocabulary, key=lambda name: vocabulary[name])
    vocabulary["\u4e2d"] = vocabulary.pop(last)
    tokenizer["model"]["merges"] = []
    file.write_text(json.dumps(tokenizer))


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        (set_field("max_position_embeddings", 2**31), "max_position_embeddings"),
        (set_field("max_position_embeddings", 10**18), "max_position_embeddings"),
        (set_field("max_position_embeddings", 1e18), "max_position_embeddings"),
        (set_field("num_hidden_layers", 10**30), "num_hidden_layers"),
        (write("config.json", "[" * DEEP), "config.json"),
        (write("tokenizer.json", "[" * DEEP), "tokenizer.json"),
        (write("tokenizer_config.json", "[" * DEEP), "tokenizer_config.json"),
        (write("tokenizer_config.json", '{"a":' * DEEP), "tokenizer_config.json"),
        (write("generation_config.json", "[" * DEEP), "generation_config.json"),
        (write("chat_template.jinja", "{{" + "(" * DEEP), "chat template"),
        (write("chat_template.jinja", "{% if a %}" * 10_000), "chat template"),
        (write("chat_template.jinja", "{{ " + "-" * DEEP + "1 }}"), "chat template"),
        (rename_token, "'\u4e2d'"),
    ],
)
def test_what_no_model_has_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], edit: Edit, found: str
) -> None:
    edit(folder)
    assert found in start(folder, capsys)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["pipe", "device", "endless", "folder", "large"])
def test_what_is_no_file_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, kind: str
) -> None:
    file = folder / name
    file.unlink(missing_ok=True)
    match kind:
        case "pipe":
            os.mkfifo(file)
        case "device":
            file.symlink_to("/dev/tty")
        case "endless":
            file.symlink_to("/dev/zero")
        case "folder":
            file.mkdir()
        case "large":
            file.touch()
            os.truncate(file, 1 << 40)
    assert name in start(folder, capsys)


def test_a_context_longer_than_the_model_s_is_told_before_anything_listens(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("sterna.server.commands.serve.answered_while_loading")
    error = start(folder, capsys, "--max-context-tokens", "1000000")
    assert "--max-context-tokens must be at most the model's" in error


def test_a_huge_context_takes_memory_for_what_the_cache_holds_only(folder: Path) -> None:
    set_field("max_position_embeddings", 2**31 - 1)(folder)
    app = real_app(model=str(folder), kv_cache_tokens=4096, cache_dir=folder.parent / "cache")
    assert app.state.services.model.engine.model.max_context_tokens == 4096


def test_all_that_is_wrong_is_told_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = start(tmp_path / "cache_dir", capsys, "--host", "192.0.2.1", "--api-key-file", "/none")
    assert f"{tmp_path}/cache_dir: no such folder" in error
    assert "--host 192.0.2.1" in error
    assert "--api-key-file /none" in error


def test_a_user_without_a_home_can_start(tmp_path: Path) -> None:
    """As in a container whose user is a number that no file knows."""
    code = (
        "import pathlib\n"
        "def expand(path):\n    raise RuntimeError('Could not determine home directory.')\n"
        "pathlib.Path.expanduser = expand\n"
        "from sterna.server.__main__ import main\n"
        "raise SystemExit(main(['serve', '~/model', '--port', '0']))"
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("HOME", "XDG_CACHE_HOME")}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True,
        timeout=LIMIT_SECONDS, check=False,
    )  # fmt: skip
    assert ran.returncode == 2
    assert ran.stderr.splitlines()[-1] == (
        "sterna: error: ~/model: Could not determine home directory."
    )
