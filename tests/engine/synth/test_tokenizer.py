"""The stand-in tokenizer has exactly the tokens asked for and loads like a published one."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from sterna.engine.synth.tokenizer import MIN_VOCAB_SIZE, special_tokens, write_tokenizer

# no words at all; a few; words of three syllables too; special tokens as Llama 3 has them
SIZES = (MIN_VOCAB_SIZE, 301, 20_000, 128_256)


@pytest.mark.parametrize("vocab_size", SIZES)
def test_every_id_is_a_token_of_its_own(tmp_path: Path, vocab_size: int) -> None:
    write_tokenizer(tmp_path, vocab_size, 100)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    vocab = tokenizer.get_vocab()
    assert sorted(vocab.values()) == list(range(vocab_size))
    special = special_tokens(vocab_size)
    assert vocab["<|begin_of_text|>"] == special.begin_of_text
    assert vocab["<|end_of_text|>"] == special.end_of_text
    assert vocab["<|eot_id|>"] == special.end_of_turn


def test_special_tokens_of_llama_3() -> None:
    special = special_tokens(128_256)
    ids = special.begin_of_text, special.end_of_text, special.end_of_turn
    assert ids == (128_000, 128_001, 128_009)


@pytest.mark.parametrize("text", ["Hello", "  two\n\nlines\t", "größer, 北京, 🙂", "\x00\x7f", ""])
def test_text_survives(tmp_path: Path, text: str) -> None:
    write_tokenizer(tmp_path, 400, 100)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    ids = tokenizer.encode(text).ids
    assert ids[0] == special_tokens(400).begin_of_text
    assert len(ids) == 1 + len(text.encode())  # a token a byte
    assert tokenizer.decode(ids) == text


def test_special_tokens_in_text_are_recognised(tmp_path: Path) -> None:
    write_tokenizer(tmp_path, 400, 100)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert tokenizer.encode("<|eot_id|>").ids[-1] == special_tokens(400).end_of_turn


def test_ids_above_the_bytes_decode_to_words(tmp_path: Path) -> None:
    write_tokenizer(tmp_path, 400, 100)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    words = tokenizer.decode(list(range(256, 384))).split()
    assert len(set(words)) == 128
    assert all(word.isalpha() for word in words)


def test_transformers_loads_it_with_its_chat_template(tmp_path: Path) -> None:
    write_tokenizer(tmp_path, 400, 100)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert len(tokenizer) == 400
    assert tokenizer.eos_token_id == special_tokens(400).end_of_text
    assert tokenizer.model_max_length == 100
    messages = [
        {"role": "system", "content": " Be brief. "},
        {"role": "user", "content": "Hi\n"},
    ]
    text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    expected = "<|begin_of_text|>System: Be brief.<|eot_id|>User: Hi<|eot_id|>Assistant: "
    assert text == expected


def test_bytes_and_special_tokens_must_fit(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="vocab_size is 271, expected 272 or more"):
        write_tokenizer(tmp_path, MIN_VOCAB_SIZE - 1, 100)
