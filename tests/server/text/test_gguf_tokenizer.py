"""A tokenizer made of the keys of a GGUF file gives the ids that its makers mean."""

from typing import Any

import pytest
from tokenizers import Tokenizer

from sterna.engine.synth.tokenizer import gguf_tokenizer_keys
from sterna.server.text.gguf_tokenizer import build_tokenizer

TEXTS = [
    "",
    "Hello, world!",
    " 12345 x",
    "a\n\nb\t c",
    "caf\u00e9 \U0001f600 \u4f60\u597d",
    "I'LL don't",
]
PIECES = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
WORDS = ["\u2581", "a", "b", "c", "\u2581a", "ab", "\u2581ab", "abc", "bc"]


def sentencepiece_keys() -> dict[str, Any]:
    tokens = [*PIECES, *WORDS]
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": [0.0] * len(PIECES) + [-float(i) for i in range(len(WORDS))],
        "tokenizer.ggml.token_type": [2, 3, 3] + [6] * 256 + [1] * len(WORDS),
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.unknown_token_id": 0,
    }


def pieces(tokenizer: Tokenizer, text: str) -> list[str]:
    tokens: list[str] = tokenizer.encode(text).tokens
    return tokens


def test_bytes_come_back() -> None:
    tokenizer = build_tokenizer(gguf_tokenizer_keys(600))
    for text in TEXTS:
        assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_control_tokens_are_whole_and_bos_is_added() -> None:
    keys = gguf_tokenizer_keys(600) | {"tokenizer.ggml.bos_token_id": 584}
    tokenizer = build_tokenizer(keys)
    ids = tokenizer.encode("a<|eot_id|>").ids
    assert tokenizer.id_to_token(ids[0]) == "<|begin_of_text|>"
    assert tokenizer.id_to_token(ids[-1]) == "<|eot_id|>"
    assert len(ids) == 3


def test_sentencepiece_joins_the_best_pair_first() -> None:
    """Scores fall along ``WORDS``: "_a" is joined first, then "_ab", and no "bc" is left."""
    tokenizer = build_tokenizer(sentencepiece_keys())
    assert pieces(tokenizer, "a") == ["<s>", "\u2581a"]
    assert pieces(tokenizer, "abc") == ["<s>", "\u2581ab", "c"]
    assert pieces(tokenizer, "ab ab") == ["<s>", "\u2581ab", "\u2581ab"]


def test_sentencepiece_spells_what_it_does_not_know_in_bytes() -> None:
    tokenizer = build_tokenizer(sentencepiece_keys())
    assert pieces(tokenizer, "\u00e9") == ["<s>", "\u2581", "<0xC3>", "<0xA9>"]
    assert tokenizer.decode(tokenizer.encode("a \u00e9").ids) == "a \u00e9"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokenizer.ggml.model": "bert"}, "tokenizer.ggml.model: found 'bert'"),
        ({"tokenizer.ggml.pre": "strange"}, "tokenizer.ggml.pre: found 'strange'"),
        ({"tokenizer.ggml.pre": None}, "tokenizer.ggml.pre: found None"),
    ],
)
def test_what_is_not_known_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}, expected"):
        build_tokenizer(gguf_tokenizer_keys(600) | changes)
