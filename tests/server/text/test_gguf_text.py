"""The text side of a GGUF file, and the files beside it that win."""

from pathlib import Path

import pytest

from sterna.engine import CheckpointError, synthesize_gguf
from sterna.server.text.gguf_text import GgufText
from sterna.server.text.texts import checkpoint_text
from sterna.server.text.tokenizer import Tokenizer


@pytest.fixture
def file(tmp_path: Path) -> Path:
    synthesize_gguf("small-qwen3", tmp_path / "model.gguf", "PQ2_0")
    return tmp_path / "model.gguf"


def test_a_conversation_is_rendered_and_encoded(file: Path) -> None:
    tokenizer = Tokenizer.load(checkpoint_text(file))
    ids = tokenizer.encode_chat([{"role": "user", "content": "Hi"}])
    text = tokenizer.decode(ids, skip_special_tokens=False)
    assert text == "<|begin_of_text|>User: Hi<|eot_id|>Assistant: "


def test_files_beside_it_win(file: Path) -> None:
    text = GgufText(file)
    assert "capitalize" in str(text.chat_templates()["default"])
    file.with_name("chat_template.jinja").write_text("mine")
    file.with_name("tokenizer.json").write_text("{}")
    assert text.chat_templates()["default"] == "mine"
    assert text.tokenizer_json() == "{}"


def test_special_tokens_are_named_by_their_ids(file: Path) -> None:
    special = GgufText(file).special_tokens()
    assert special["bos_token"] == "<|begin_of_text|>"
    assert special["eos_token"] == "<|end_of_text|>"


def test_a_file_without_a_tokenizer_is_refused_in_one_line(tmp_path: Path) -> None:
    from sterna.engine.synth.gguf_writer import write_gguf

    write_gguf(tmp_path / "a.gguf", {"general.architecture": "llama"}, [], lambda *_: None)
    with pytest.raises(CheckpointError, match=r"a.gguf: tokenizer: .*tokenizer.ggml.model"):
        GgufText(tmp_path / "a.gguf").tokenizer_json()
