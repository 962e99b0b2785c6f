"""Mistakes of the user are one line and exit code 2."""

import re
import socket
from importlib.metadata import version
from pathlib import Path
from shutil import copy

import pytest

from sterna.engine import AsyncEngine
from sterna.server.__main__ import _parser, main
from sterna.server.checkpoint import BUILTIN_FOLDER
from sterna.server.commands import serve
from sterna.server.commands.serve import FIRST_GROUP, GROUPS
from sterna.server.settings import Settings
from tests.server.scripted import make_folder


@pytest.mark.parametrize(
    "arguments",
    [
        ["serve", "/no/such/folder"],
        ["serve", "--port", "http"],
        ["serve", "--max-batch-tokens", "0"],
        ["serve", "--backend", "cuda"],
        ["serve", "--port", "0", "--threads", "100000"],
    ],
)
def test_an_error_is_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sterna.server.logs.configure", lambda level, form: None)
    if "--threads" not in arguments:
        monkeypatch.delattr(serve, "answered_while_loading")  # told before the server listens
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.err.startswith("sterna: error: ")
    assert output.err.count("\n") == 1
    assert output.out == ""


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (None, "No such file"),
        ("{", "invalid JSON"),
        ('{"architectures": ["GPT2"]}', "architectures"),
    ],
)
def test_a_folder_that_is_no_checkpoint_is_told_before_the_server_listens(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    config: str | None,
    reason: str,
) -> None:
    monkeypatch.setattr("sterna.server.logs.configure", lambda level, form: None)
    monkeypatch.delattr(serve, "answered_while_loading")
    path = tmp_path / "config.json"
    if config is not None:
        path.write_text(config)
    assert main(["serve", "--port", "0", str(tmp_path)]) == 2
    output = capsys.readouterr()
    assert str(path) in output.err
    assert reason in output.err
    assert output.err.count("\n") == 1


def test_a_missing_tokenizer_is_told_before_anything_listens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sterna.server.logs.configure", lambda level, form: None)
    monkeypatch.delattr(serve, "answered_while_loading")
    copy(BUILTIN_FOLDER / "config.json", tmp_path)
    assert main(["serve", "--port", "0", str(tmp_path)]) == 2
    assert f"{tmp_path / 'tokenizer.json'}: no such file" in capsys.readouterr().err


def test_bad_sampling_defaults_are_told_before_weights_are_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sterna.server.logs.configure", lambda level, form: None)
    monkeypatch.delattr(AsyncEngine, "load")
    make_folder(tmp_path)
    copy(BUILTIN_FOLDER / "config.json", tmp_path)
    (tmp_path / "generation_config.json").write_text('{"top_p": 7}')
    assert main(["serve", "--port", "0", str(tmp_path)]) == 2
    assert str(tmp_path / "generation_config.json") in capsys.readouterr().err


def test_an_address_that_cannot_be_had_is_told_before_weights_are_loaded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sterna.server.logs.configure", lambda level, form: None)
    monkeypatch.delattr(AsyncEngine, "load")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        for address in (["--port", port], ["--port", "0", "--host", "192.0.2.1"]):
            assert main(["serve", *address]) == 2
            error = capsys.readouterr().err
            assert error.startswith("sterna: error: --host ")
            assert " ".join(address[:2]) in error
            assert error.count("\n") == 1


def test_help_names_every_variable(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["serve", "--help"])
    assert caught.value.code == 0
    assert "STERNA_MAX_WAITING_REQUESTS" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "command", "reason"),
    [
        (["serve", "--prot", "3"], "serve", "--prot (did you mean --port?)"),
        (["serve", "--max-batch-requezts=3"], "serve", "(did you mean --max-batch-requests?)"),
        (["serve", "--xyz", "folder", "other"], "serve", "unrecognized arguments: --xyz other\n"),
        (["bench", "kernels", "--jsn"], "bench kernels", "(did you mean --json?)"),
    ],
)
def test_an_unknown_option_is_told_by_its_own_command(
    capsys: pytest.CaptureFixture[str], arguments: list[str], command: str, reason: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"usage: sterna {command} ")
    assert f"sterna {command}: error: " in error
    assert reason in error


def test_an_error_of_the_engine_names_options(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sterna.server.logs.configure", lambda level, form: None)
    assert main(["serve", "--port", "0", "--max-batch-tokens", "8"]) == 2
    error = capsys.readouterr().err
    assert "--max-batch-requests (64) must not exceed --max-batch-tokens (8)" in error


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"sterna {version('sterna')}\n"


@pytest.mark.parametrize("command", [[], ["bench"]])
def test_a_command_without_arguments_shows_its_help(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(command)
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    with pytest.raises(SystemExit):
        main([*command, "--help"])
    assert shown == capsys.readouterr().out
    assert shown.startswith("usage: sterna ")


@pytest.mark.parametrize(
    "shown",
    [
        "--port PORT ",
        "--kv-cache-tokens TOKENS\n",
        "--request-timeout SECONDS\n",
        "--kv-dtype {float16,float32,int8}\n",
        "--overload-status {429,503}\n",
        "--metrics-public {true,false}\n",
        "--api-key KEY[,KEY...]\n",
        "--allowed-origins ORIGIN[,ORIGIN...]\n",
    ],
)
def test_help_states_the_unit_or_the_choices_of_a_value(
    capsys: pytest.CaptureFixture[str], shown: str
) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    assert f"  {shown}" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["serve", "synth", "bench"])
def test_the_examples_of_the_help_are_valid(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    _, _, examples = capsys.readouterr().out.partition("examples:\n")
    lines = [line for line in examples.splitlines() if line.startswith("  sterna ")]
    assert len(lines) >= 2
    for line in lines:
        typed = re.split(r"\s{2,}", line.strip())[0].split()[1:]
        parsed = _parser().parse_args(typed)
        if typed[0] == "serve":
            Settings.load({name: getattr(parsed, name) for name in Settings.model_fields}, {})


def test_help_of_serve_has_a_group_for_each_concern(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    usage, *groups = capsys.readouterr().out.split("\n\n")
    assert usage == "usage: sterna serve [OPTIONS] [MODEL]"
    options = {group.partition(":")[0]: group.count("  --") for group in groups}
    assert set(options) >= {FIRST_GROUP, *GROUPS.values()}
    assert max(options.values()) <= 20
