"""Hand-written constraints: simple enough to know what they allow, and fast to follow."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import get_ident


@dataclass(frozen=True)
class Rule:
    """Allows the token ids for which ``allows(id, tokens so far)``; at its end after ``length``."""

    vocab_size: int
    allows: Callable[[int, list[int]], bool]
    length: int | None = None

    def start(self) -> "RuleMatcher":
        return RuleMatcher(self)


class RuleMatcher:
    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.tokens: list[int] = []
        self.threads: set[int] = set()

    @property
    def is_finished(self) -> bool:
        return len(self.tokens) == self.rule.length

    def fill_mask(self, mask: memoryview) -> None:
        self.threads.add(get_ident())
        words = [0] * len(mask)
        for token_id in range(self.rule.vocab_size):
            if self.rule.allows(token_id, self.tokens):
                words[token_id // 8] |= 1 << token_id % 8
        mask[:] = bytes(words)

    def accept(self, token_id: int) -> None:
        assert self.rule.allows(token_id, self.tokens), "a token that the mask did not allow"
        self.tokens.append(token_id)


def even(vocab_size: int, length: int | None = None) -> Rule:
    """Only even ids."""
    return Rule(vocab_size, lambda token_id, _: token_id % 2 == 0, length)


def broken(vocab_size: int, after: int) -> Rule:
    """Raises when so many tokens have come."""

    def allows(_: int, tokens: list[int]) -> bool:
        if len(tokens) == after:
            raise ValueError("the grammar is broken")
        return True

    return Rule(vocab_size, allows)
