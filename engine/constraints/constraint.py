"""The interface of a grammar for the engine. Grammars are implemented elsewhere.

A ``Constraint`` is a compiled grammar that any number of sequences share; a ``Matcher`` is one
sequence's place in it. The engine calls a matcher from one thread at a time, but not always the
same one, and while the model computes: the heavy part should release the interpreter's lock.
"""

from typing import Protocol


class Matcher(Protocol):
    """One sequence's place in a grammar.

    A method that raises fails the matcher's own request, and never opens it: with ConstraintError
    if the grammar is at fault, with anything else if the matcher is.
    """

    @property
    def is_finished(self) -> bool:
        """True when the grammar is at its end: only a stop token may follow."""
        ...

    def fill_mask(self, mask: memoryview) -> None:
        """Write which tokens may come next.

        mask: writable bytes of ceil(vocab / 32) little-endian 32-bit words, with arbitrary content.
        Bit v is set where token v is allowed, a stop token where the text may end.
        """
        ...

    def accept(self, token_id: int) -> None:
        """Move on by a token, which the last mask allowed. Not called for stop tokens."""
        ...


class Constraint(Protocol):
    """A compiled grammar, safe to share between threads."""

    def start(self) -> Matcher:
        """Return a fresh matcher, for one sequence."""
        ...
