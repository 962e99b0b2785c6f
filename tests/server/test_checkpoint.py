"""MODEL may be a folder, a hub id or nothing; what cannot be found is one line."""

from pathlib import Path
from shutil import copy
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

from sterna.engine import CheckpointError
from sterna.server import checkpoint, hub
from sterna.server.settings import Settings

RESPONSE: Any = httpx.Response(404, request=httpx.Request("GET", "http://hub/api"))


@pytest.fixture(autouse=True)
def reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub whose repositories hold safetensors."""
    info = SimpleNamespace(siblings=[SimpleNamespace(rfilename="model.safetensors", size=1)])
    monkeypatch.setattr(hub, "is_reachable", lambda: True)
    monkeypatch.setattr(hub, "model_info", lambda *_, **__: info)


def settings(model: str | None, name: str | None = None) -> Settings:
    return Settings.load({"model": model, "served_model_name": name}, environment={})


def test_a_folder_is_served_under_its_name(tmp_path: Path) -> None:
    (tmp_path / "my-model").mkdir()
    resolved = checkpoint.resolve(settings(f"{tmp_path}/my-model/"))
    assert Path(resolved.model or "") == tmp_path / "my-model"
    assert resolved.served_model_name == ("my-model",)


@pytest.mark.parametrize(("name", "found"), [("config.json", "no folder"), ("a.gguf", "0 bytes")])
def test_a_file_that_is_no_model(tmp_path: Path, name: str, found: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(CheckpointError, match=rf"{name}: found {found}, expected .* GGUF file"):
        checkpoint.check(settings(f"{tmp_path}/{name}"))


def test_a_gguf_file_has_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "Some-Model-PQ2_0.gguf").touch()
    resolved = checkpoint.resolve(settings(f"{tmp_path}/Some-Model-PQ2_0.gguf"))
    assert resolved.served_model_name == ("Some-Model-PQ2_0",)


def test_names_may_be_given(tmp_path: Path) -> None:
    resolved = checkpoint.resolve(settings(str(tmp_path), "a,b"))
    assert resolved.served_model_name == ("a", "b")


def test_a_hub_id_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "snapshot_download", lambda *_, **__: str(tmp_path))
    resolved = checkpoint.resolve(settings("owner/model"))
    assert resolved.model == str(tmp_path)
    assert resolved.served_model_name == ("owner/model",)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            RepositoryNotFoundError("404", response=RESPONSE),
            "no such model on the Hugging Face hub",
        ),
        (GatedRepoError("403", response=RESPONSE), "access is restricted"),
        (LocalEntryNotFoundError("offline"), "the Hugging Face hub cannot be reached"),
        (HfHubHTTPError("500\nServer Error", response=RESPONSE), "download failed: 500 Server"),
        (OSError(28, "No space left on device"), "No space left on device"),
    ],
)
def test_a_failed_download_is_one_line(
    monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(hub, "snapshot_download", fail)
    for ask in (checkpoint.resolve, checkpoint.check):
        with pytest.raises(CheckpointError, match=reason) as caught:
            ask(settings("owner/model"))
        assert str(caught.value).startswith("owner/model: ")
        assert "\n" not in str(caught.value)


def test_of_a_hub_id_two_small_files_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def download(model: str, *, allow_patterns: list[str], **_: object) -> str:
        asked.extend((model, name) for name in allow_patterns)
        return str(tmp_path)

    monkeypatch.setattr(hub, "snapshot_download", download)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        checkpoint.check(settings("owner/model"))
    assert asked == [("owner/model", "config.json")]
    copy(checkpoint.BUILTIN_FOLDER / "config.json", tmp_path)
    with pytest.raises(CheckpointError, match=r"tokenizer\.json: no such file"):
        checkpoint.check(settings("owner/model"))
    copy(checkpoint.BUILTIN_FOLDER / "tokenizer.json", tmp_path)
    checkpoint.check(settings("owner/model"))
    assert {name for _, name in asked} == {"config.json", "tokenizer.json"}


@pytest.mark.parametrize("model", ["/no/such/folder", "./none", "three/part/id", "name", "a/b--c"])
def test_what_is_neither_folder_nor_id(model: str) -> None:
    with pytest.raises(CheckpointError, match=r"no such folder|download failed"):
        checkpoint.resolve(Settings.model_construct(model=model, served_model_name=()))


def test_without_a_model_the_built_in_one_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "BUILTIN_FOLDER", tmp_path)
    resolved = checkpoint.resolve(settings(None))
    assert resolved.model == str(tmp_path)
    assert resolved.served_model_name == (checkpoint.BUILTIN_NAME,)
