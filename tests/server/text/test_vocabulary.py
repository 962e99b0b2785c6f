"""The bytes of tokens add up to the text, also where a token is a part of a character."""

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

from sterna.server.text.vocabulary import Vocabulary
from tests.server.scripted import SPECIAL, VOCAB_SIZE, ids_of, tokenizer

TEXTS = [
    "plain",
    " two  spaces\n",
    "naïve café",
    "日本語",
    "👩‍👧 👍🏽",
    "\x00\x7f\xad\u0100",
]
FALLBACK = Tokenizer(
    models.BPE(vocab={f"<0x{i:02X}>": i for i in range(256)} | {"\u2581so": 256}, merges=[])
)
FALLBACK.decoder = decoders.Sequence(
    [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
)
FALLBACK.add_special_tokens([AddedToken("<s>", special=True)])


@pytest.mark.parametrize("text", TEXTS)
def test_bytes_of_byte_level_tokens_add_up(text: str) -> None:
    vocabulary = Vocabulary(tokenizer())
    ids = ids_of(text)
    assert b"".join(map(vocabulary.bytes_of, ids)) == text.encode()


@pytest.mark.parametrize("text", TEXTS)
def test_bytes_of_byte_fallback_tokens_add_up(text: str) -> None:
    vocabulary = Vocabulary(FALLBACK)
    assert b"".join(map(vocabulary.bytes_of, text.encode())) == text.encode()


def test_a_word_begins_with_a_space() -> None:
    assert Vocabulary(FALLBACK).text_of(256) == " so"


def test_a_part_of_a_character_is_escaped() -> None:
    vocabulary = Vocabulary(tokenizer())
    assert [vocabulary.text_of(i) for i in ids_of("é")] == ["bytes:\\xc3", "bytes:\\xa9"]
    assert vocabulary.text_of(ids_of("e")[0]) == "e"


def test_a_special_token_has_its_name() -> None:
    assert Vocabulary(tokenizer()).text_of(SPECIAL.end_of_turn) == "<|eot_id|>"
    assert Vocabulary(FALLBACK).bytes_of(257) == b"<s>"


def test_an_id_without_a_token_has_no_bytes() -> None:
    vocabulary = Vocabulary(tokenizer())
    assert vocabulary.bytes_of(VOCAB_SIZE + 5) == b""
    assert vocabulary.text_of(VOCAB_SIZE + 5) == ""


def test_a_tokenizer_without_a_decoder_shows_tokens_as_they_are() -> None:
    words = Tokenizer(models.WordLevel(vocab={"one": 0, "<0x41>": 1}, unk_token="one"))
    assert [Vocabulary(words).text_of(i) for i in (0, 1)] == ["one", "<0x41>"]


@pytest.mark.parametrize("text", ["", *TEXTS, "<|begin_of_text|>" * 9, "x" * 1000])
def test_a_text_has_no_fewer_tokens_than_is_told_at_once(text: str) -> None:
    assert Vocabulary(tokenizer()).least_tokens(text) <= len(ids_of(text))
    assert Vocabulary(tokenizer()).least_tokens(text) >= len(text) // 40


def test_nothing_is_told_where_text_may_get_lost() -> None:
    composing = Tokenizer.from_str(tokenizer().to_str())
    composing.normalizer = normalizers.NFC()
    eating = Tokenizer.from_str(tokenizer().to_str())
    eating.add_tokens([AddedToken("<mask>", lstrip=True)])
    for encoder in (composing, eating, FALLBACK):
        assert Vocabulary(encoder).least_tokens("x" * 1000) == 0
