"""A checkpoint's text side is read in one place; what cannot be read is one line that names it."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from sterna.engine import CheckpointError
from sterna.server.generation.sampling import SamplingDefaults
from sterna.server.text.checkpoint_text import CheckpointText, FolderText, Part
from sterna.server.text.tokenizer import Tokenizer
from tests.server.scripted import ids_of


class FileText:
    """Another source, as a single file with everything in it would be."""

    def __init__(self, tokenizer: str, defaults: Mapping[str, object]) -> None:
        self._tokenizer = tokenizer
        self._defaults = defaults

    def tokenizer_json(self) -> str:
        return self._tokenizer

    def special_tokens(self) -> Mapping[str, str]:
        return {"bos_token": "<|begin_of_text|>"}

    def chat_templates(self) -> Mapping[str, object]:
        return {"default": "{{ bos_token }}{{ messages[0].content }}"}

    def generation_config(self) -> Mapping[str, object]:
        return self._defaults

    def place_of(self, part: Part) -> str:
        return f"model.file: {part}"


def test_any_source_will_do(folder: Path) -> None:
    definition = FolderText(folder).tokenizer_json()
    text: CheckpointText = FileText(definition, {"top_k": 7})
    tokenizer = Tokenizer.load(text)
    assert tokenizer.render_chat([{"role": "user", "content": "Hi"}]) == "<|begin_of_text|>Hi"
    assert tokenizer.encode("Hi")[1:] == ids_of("Hi")
    assert SamplingDefaults.load(text).top_k == 7


def test_errors_name_the_place_in_the_source() -> None:
    text = FileText("{}", {"top_p": 7})
    with pytest.raises(CheckpointError, match=r"^model\.file: tokenizer: not a tokenizer"):
        Tokenizer.load(text)
    with pytest.raises(CheckpointError, match=r"^model\.file: generation config: top_p"):
        SamplingDefaults.load(text)


def test_of_a_folder_all_but_the_tokenizer_may_be_missing(tmp_path: Path) -> None:
    text = FolderText(tmp_path)
    assert text.special_tokens() == {}
    assert text.chat_templates() == {}
    assert text.generation_config() == {}
    for read in (text.check, text.tokenizer_json):
        with pytest.raises(CheckpointError, match=r"tokenizer\.json: no such file"):
            read()


def test_a_tokenizer_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(b"\xff")
    with pytest.raises(CheckpointError, match=r"tokenizer\.json: not a tokenizer"):
        FolderText(tmp_path).tokenizer_json()


def test_files_of_templates_win_over_the_config(tmp_path: Path) -> None:
    stated = [{"name": "default", "template": "a"}, {"name": "tool_use", "template": "b"}]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": stated}))
    assert FolderText(tmp_path).chat_templates() == {"default": "a", "tool_use": "b"}
    (tmp_path / "chat_template.jinja").write_text("file")
    assert FolderText(tmp_path).chat_templates() == {"default": "file", "tool_use": "b"}
