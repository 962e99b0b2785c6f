"""A stand-in tokenizer of any vocabulary size, for checkpoints with random weights.

Text is encoded as its bytes, one token each: ids 0 to 255. The ids above them never come out of
encoding, but a random model generates them, so they decode to short made-up words. The last ids
are special tokens in the order of Llama 3: at a vocabulary of 128,256 they have its very ids.

Not a tokenizer for a trained model.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from typing import Any, Final

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

MIN_VOCAB_SIZE: Final = 256 + 16
_NUM_BYTES: Final = 256
_LLAMA3_VOCAB_SIZE: Final = 128_256
_END_OF_TEXT: Final = 1  # places among the special tokens, as in Llama 3
_END_OF_TURN: Final = 9
_ONSETS: Final = "bdfghjklmnprstvwz"
_VOWELS: Final = ("a", "e", "i", "o", "u", "ai", "ea", "oo")
_SPACE: Final = "\u0120"  # how byte-level BPE spells the byte 0x20
_CHAT_TEMPLATE: Final = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{{ message['role'] | capitalize }}: {{ message['content'] | trim }}<|eot_id|>"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}"
)


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """Ids of the tokens that start a text, end it, and end a turn of a chat."""

    begin_of_text: int
    end_of_text: int
    end_of_turn: int


def special_tokens(vocab_size: int) -> SpecialTokens:
    """Return where the special tokens are in a vocabulary of this size."""
    first = vocab_size - _num_special(vocab_size)
    return SpecialTokens(first, first + _END_OF_TEXT, first + _END_OF_TURN)


def write_tokenizer(folder: Path, vocab_size: int, max_context_tokens: int) -> None:
    """Write tokenizer.json and tokenizer_config.json with exactly ``vocab_size`` tokens.

    Raises ValueError below ``MIN_VOCAB_SIZE``: all bytes and the special tokens must fit.
    """
    if vocab_size < MIN_VOCAB_SIZE:
        raise ValueError(f"vocab_size is {vocab_size}, expected {MIN_VOCAB_SIZE} or more")
    names = _special_names(_num_special(vocab_size))
    pieces = _pieces(vocab_size)
    vocab = {piece: token_id for token_id, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in names])
    begin = names[0]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A", pair=f"{begin} $A {begin} $B", special_tokens=[(begin, len(pieces))]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "bos_token": begin,
        "eos_token": names[_END_OF_TEXT],
        "chat_template": _CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": max_context_tokens,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")


def gguf_tokenizer_keys(vocab_size: int) -> dict[str, Any]:
    """Return the keys of a GGUF file with the same tokenizer."""
    names = _special_names(_num_special(vocab_size))
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.tokens": [*_pieces(vocab_size), *names],
        "tokenizer.ggml.merges": [],
        "tokenizer.ggml.token_type": [1] * (vocab_size - len(names)) + [3] * len(names),
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.chat_template": _CHAT_TEMPLATE,
    }


def _pieces(vocab_size: int) -> list[str]:
    """Return all tokens but the special ones."""
    num_words = vocab_size - _NUM_BYTES - _num_special(vocab_size)
    return [*sorted(pre_tokenizers.ByteLevel.alphabet()), *islice(_words(), num_words)]


def _num_special(vocab_size: int) -> int:
    return 256 if vocab_size >= _LLAMA3_VOCAB_SIZE else 16


def _special_names(count: int) -> list[str]:
    names = [f"<|reserved_special_token_{index}|>" for index in range(count)]
    names[0] = "<|begin_of_text|>"
    names[_END_OF_TEXT] = "<|end_of_text|>"
    names[_END_OF_TURN] = "<|eot_id|>"
    return names


def _words() -> Iterator[str]:
    """Yield distinct words with a space before them: of two syllables, then of three, ..."""
    syllables = [onset + vowel for onset, vowel in product(_ONSETS, _VOWELS)]
    num_syllables = 2
    while True:
        for parts in product(syllables, repeat=num_syllables):
            yield _SPACE + "".join(parts)
        num_syllables += 1
