"""Mistakes of the user are one line and exit code 2."""

from pathlib import Path

import pytest

from engine import AsyncEngine
from server.__main__ import main


@pytest.mark.parametrize(
    "arguments",
    [
        ["serve", "/no/such/folder"],
        ["serve", "--port", "http"],
        ["serve", "--max-batch-tokens", "0"],
        ["serve", "--backend", "cuda"],
    ],
)
def test_an_error_is_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.logs.configure", lambda level, form: None)
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.err.startswith("sterna: error: ")
    assert output.err.count("\n") == 1
    assert output.out == ""


def test_a_folder_that_is_no_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.logs.configure", lambda level, form: None)
    assert main(["serve", str(tmp_path)]) == 2
    output = capsys.readouterr()
    assert str(tmp_path) in output.err
    assert output.err.count("\n") == 1


def test_a_missing_tokenizer_is_told_before_weights_are_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.logs.configure", lambda level, form: None)
    monkeypatch.delattr(AsyncEngine, "load")
    assert main(["serve", str(tmp_path)]) == 2
    assert f"{tmp_path / 'tokenizer.json'}: no such file" in capsys.readouterr().err


def test_help_names_every_variable(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["serve", "--help"])
    assert caught.value.code == 0
    assert "STERNA_MAX_WAITING_REQUESTS" in capsys.readouterr().out
