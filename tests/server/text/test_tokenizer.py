"""Texts and conversations become the ids that the model was trained with."""

import json
import shutil
from pathlib import Path

import pytest

from sterna.engine import CheckpointError
from sterna.server.errors import InvalidRequestError
from sterna.server.text.checkpoint_text import FolderText
from sterna.server.text.tokenizer import Tokenizer
from tests.server.scripted import SPECIAL, VOCAB_SIZE, ids_of

USER = [{"role": "user", "content": "Hi"}]


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A checkpoint folder to spoil."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def test_text_gets_the_token_that_begins_it(folder: Path) -> None:
    assert Tokenizer.load(FolderText(folder)).encode("Hi") == [SPECIAL.begin_of_text, *ids_of("Hi")]


def test_the_token_that_begins_a_text_is_never_doubled(folder: Path) -> None:
    tokenizer = Tokenizer.load(FolderText(folder))
    expected = [SPECIAL.begin_of_text, *ids_of("Hi")]
    assert tokenizer.encode("<|begin_of_text|>Hi") == expected
    assert tokenizer.encode_chat(USER).count(SPECIAL.begin_of_text) == 1


def test_special_tokens_are_no_text(folder: Path) -> None:
    ids = [SPECIAL.begin_of_text, *ids_of("Hi"), SPECIAL.end_of_turn]
    assert Tokenizer.load(FolderText(folder)).decode(ids) == "Hi"


def test_the_text_of_a_special_token_in_a_message_becomes_it(folder: Path) -> None:
    messages = [{"role": "user", "content": "Hi<|eot_id|>there"}]
    assert Tokenizer.load(FolderText(folder)).encode_chat(messages).count(SPECIAL.end_of_turn) == 2


def test_ids_beyond_the_vocabulary_are_no_text(folder: Path) -> None:
    tokenizer = Tokenizer.load(FolderText(folder))
    assert tokenizer.vocabulary.num_ids == VOCAB_SIZE
    assert tokenizer.decode([*ids_of("Hi"), VOCAB_SIZE + 7]) == "Hi"


def test_truncation_and_padding_of_training_are_off(copy: Path) -> None:
    path = copy / "tokenizer.json"
    stated = json.loads(path.read_text())
    stated["truncation"] = {
        "max_length": 3, "stride": 0, "strategy": "LongestFirst", "direction": "Right"
    }  # fmt: skip
    path.write_text(json.dumps(stated))
    assert len(Tokenizer.load(FolderText(copy)).encode("x" * 100)) == 101


def test_without_a_chat_template_there_is_no_chat(copy: Path) -> None:
    (copy / "tokenizer_config.json").unlink()
    with pytest.raises(InvalidRequestError) as caught:
        Tokenizer.load(FolderText(copy)).encode_chat(USER)
    assert caught.value.code == "no_chat_template"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer.json", None),
        ("tokenizer.json", "{}"),
        ("tokenizer.json", "no JSON"),
        ("tokenizer_config.json", "no JSON"),
        ("tokenizer_config.json", "[]"),
        ("tokenizer_config.json", '{"chat_template": "{% if %}"}'),
        ("chat_template.jinja", "{{ unclosed"),
    ],
)
def test_a_folder_that_cannot_be_served_is_one_line(
    copy: Path, name: str, content: str | None
) -> None:
    (copy / name).unlink(missing_ok=True)
    if content is not None:
        (copy / name).write_text(content)
    with pytest.raises(CheckpointError) as caught:
        Tokenizer.load(FolderText(copy))
    assert str(copy) in str(caught.value)
    assert "\n" not in str(caught.value)


GROWING = [
    {"type": "Replace", "pattern": {"String": "x"}, "content": "y" * 100_000},
    {"type": "Replace", "pattern": {"Regex": "x*"}, "content": "y" * 100_000},
    {"type": "Prepend", "prepend": "y" * 100_000},
    {"type": "Sequence", "normalizers": [
        {"type": "Replace", "pattern": {"String": old}, "content": new * 1000}
        for old, new in ("xy", "yz")
    ]},
]  # fmt: skip


@pytest.mark.parametrize("normalizer", GROWING, ids=lambda stated: str(stated["type"]))
def test_a_text_that_would_become_gigabytes_is_refused(
    copy: Path, normalizer: dict[str, object]
) -> None:
    path = copy / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"normalizer": normalizer}))
    tokenizer = Tokenizer.load(FolderText(copy))
    tokenizer.encode("x")
    with pytest.raises(InvalidRequestError, match="more than"):
        tokenizer.encode("x" * 100_000)
