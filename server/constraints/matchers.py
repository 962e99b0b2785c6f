"""A grammar compiled for one model's tokens: what the engine asks which token may come next.

The rules of the game are in ``engine/constraints/constraint.py``; here llguidance plays by them.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
from llguidance import LLMatcher, LLTokenizer
from numpy.typing import NDArray
from tokenizers import Tokenizer as Encoder

from sterna.engine import ConstraintError, Matcher
from sterna.server.constraints.parser_limits import LIMITS

MAX_REASON_CHARS: Final = 300
PROBED_TOKENS: Final = 8


@dataclass(frozen=True)
class GrammarVocabulary:
    """A model's tokens as llguidance knows them. Takes time to load: once, and in a thread."""

    tokens: LLTokenizer
    known: NDArray[np.uint32]  # a bit for each id that has a token, in words as of a mask

    @classmethod
    def load(
        cls, tokenizer_json: str, vocab_size: int, eos_token_ids: Collection[int]
    ) -> "GrammarVocabulary":
        """Make it of a tokenizer. Raises ValueError if llguidance can't work with it.

        vocab_size: ids of the model; those that the tokenizer doesn't have are never allowed.
        """
        tokens = LLTokenizer(
            tokenizer_json, n_vocab=vocab_size, eos_token=sorted(eos_token_ids) or None
        )
        if tokens.vocab_size != vocab_size:
            raise ValueError(f"found {tokens.vocab_size} tokens, but the model has {vocab_size}")
        bits = np.zeros(-(-vocab_size // 32) * 32, np.uint8)
        bits[list(Encoder.from_str(tokenizer_json).get_vocab(with_added_tokens=True).values())] = 1
        return cls(tokens, np.packbits(bits, bitorder="little").view("<u4"))

    def compile(self, grammar: str) -> "CompiledGrammar":
        """Compile what ``text()`` of a specification returned. Raises ValueError with the reason.

        Takes milliseconds as a rule, and seconds and much stack if someone means it to.
        """
        matcher = LLMatcher(self.tokens, grammar, log_level=0, limits=LIMITS)
        compiled = CompiledGrammar(self, matcher)
        compiled.probe()
        return compiled


class CompiledGrammar:
    """A grammar, to be followed by any number of sequences."""

    def __init__(self, vocabulary: GrammarVocabulary, matcher: LLMatcher) -> None:
        self._vocabulary = vocabulary
        self._matcher = matcher  # stays where it is: sequences get copies

    def start(self) -> Matcher:
        """Return a fresh matcher, for one sequence."""
        return GrammarMatcher(self._vocabulary, self._matcher.deep_copy())

    def probe(self) -> None:
        """Go some tokens along one path, so that much of what must fail does so early.

        Raises ValueError with the reason.
        """
        mask = np.empty_like(self._vocabulary.known)
        ends = set(self._vocabulary.tokens.eos_tokens)
        try:
            matcher = self.start()
            for _ in range(PROBED_TOKENS):
                matcher.fill_mask(mask.data)
                allowed = np.flatnonzero(np.unpackbits(mask.view(np.uint8), bitorder="little"))
                token_id = next((i for i in allowed if i not in ends), None)
                if token_id is None:
                    break
                matcher.accept(int(token_id))
        except ConstraintError as error:
            raise ValueError(str(error)) from None


class GrammarMatcher:
    """One sequence's place in a grammar. An error stays: no later call succeeds."""

    def __init__(self, vocabulary: GrammarVocabulary, matcher: LLMatcher) -> None:
        self._known = vocabulary.known
        self._matcher = matcher
        self._check()

    @property
    def is_finished(self) -> bool:
        """True when only a stop token may follow."""
        return self._matcher.is_stopped()

    def fill_mask(self, mask: memoryview) -> None:
        """Write which tokens may come next. Raises ConstraintError if a limit is exceeded."""
        words = np.frombuffer(mask, "<u4")
        self._matcher.unsafe_compute_mask_ptr(words.ctypes.data, words.nbytes)
        self._check()  # with an error, the mask lets the text end
        words &= self._known

    def accept(self, token_id: int) -> None:
        """Move on by a token. Raises ConstraintError if it was not allowed."""
        self._matcher.consume_token(token_id)
        self._check()

    def _check(self) -> None:
        if self._matcher.is_error():
            raise ConstraintError(_reason(self._matcher))


def _reason(matcher: LLMatcher) -> str:
    reason = one_line(matcher.get_error())
    return "no text can satisfy it" if reason == "NoExtensionBias" else reason


def one_line(reason: str) -> str:
    """The words of a reason, without the lines that only point at columns, nor a stack."""
    lines = re.split("<backtrace>|<non-verbose/>", reason)[0].splitlines()
    words = " ".join(line for line in lines if any(map(str.isalnum, line))).split()
    return " ".join(words)[:MAX_REASON_CHARS] or "unknown reason"
