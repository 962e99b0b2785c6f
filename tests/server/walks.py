"""What chance writes where a grammar leaves a choice, in the tokens of the built-in model."""

from collections.abc import Sequence
from random import Random

import numpy as np
from tokenizers import Tokenizer

from sterna.engine import Matcher
from sterna.server.checkpoint import BUILTIN_FOLDER
from sterna.server.constraints.matchers import GrammarVocabulary

PATH = BUILTIN_FOLDER / "tokenizer.json"
ENCODER = Tokenizer.from_file(str(PATH))
END = ENCODER.encode("<|end|>", add_special_tokens=False).ids[0]
VOCABULARY = GrammarVocabulary.load(PATH.read_text(), 4096, [END])


def allowed(matcher: Matcher) -> list[int]:
    mask = np.empty(4096 // 32, "<u4")
    matcher.fill_mask(mask.data)
    return list(np.flatnonzero(np.unpackbits(mask.view(np.uint8), bitorder="little")))


def read(matcher: Matcher, text: str) -> None:
    """Let the model write a text. Raises GenerationError if it may not."""
    for token_id in ids_of(text):
        if token_id not in allowed(matcher):
            raise AssertionError(f"{ENCODER.id_to_token(token_id)!r} is not allowed in {text!r}")
        matcher.accept(token_id)


def ids_of(text: str) -> Sequence[int]:
    ids: list[int] = ENCODER.encode(text, add_special_tokens=False).ids
    return ids


def walk(matcher: Matcher, text: str, seed: int, max_tokens: int = 400) -> tuple[str, bool]:
    """Write a text, then what chance will have. Returns all, and whether it came to an end."""
    read(matcher, text)
    random, written = Random(seed), list(ids_of(text))
    for _ in range(max_tokens):
        token_id = int(random.choice(allowed(matcher)))
        if token_id == END:
            return ENCODER.decode(written), True
        matcher.accept(token_id)
        written.append(token_id)
    return ENCODER.decode(written), False
