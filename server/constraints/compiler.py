"""Compiles what answers are held to, with limits: a bad grammar costs its own request only.

llguidance follows references and rules by recursion, so a compile runs on a thread with a stack
for the longest chain that the allowed text can hold. Whatever else could end the process has ended
another one before: see ``trials``.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from sterna.engine import Constraint
from sterna.server.constraints.grammars import ConstraintSpec
from sterna.server.constraints.matchers import GrammarVocabulary, one_line
from sterna.server.constraints.trials import Trials
from sterna.server.errors import InvalidRequestError

STACK_BYTES_PER_BYTE: Final = 4 << 10  # five times what was needed
NUM_THREADS: Final = 2  # so that one slow compile does not hold up all others
NUM_CACHED: Final = 16  # grammars; one that means to be large takes about 20 MB

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CompileLimits:
    """What one compile may take."""

    max_bytes: int  # of the grammar, as llguidance gets it
    seconds: float  # waiting for a free thread included


class ConstraintCompiler:
    """Compiles for one model. The methods are for the event loop."""

    def __init__(
        self,
        tokenizer_json: Callable[[], str],
        vocab_size: int,
        eos_token_ids: Collection[int],
        limits: CompileLimits,
    ) -> None:
        """Read nothing yet: the tokenizer takes a hundred megabytes, and many never need it."""
        self._load: Callable[[], GrammarVocabulary] = lambda: GrammarVocabulary.load(
            tokenizer_json(), vocab_size, eos_token_ids
        )
        self._limits = limits
        self._stack_bytes = STACK_BYTES_PER_BYTE * limits.max_bytes
        self._trials = Trials(self._stack_bytes)
        self._pool = ThreadPoolExecutor(NUM_THREADS, "constraints")
        self._compile_text = lru_cache(NUM_CACHED)(self._compile_anew)
        self._vocabulary: Future[GrammarVocabulary] | None = None

    def stop(self) -> None:
        """Start nothing more. A compile that runs is left to end."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._trials.stop()

    async def compile(self, spec: ConstraintSpec, param: str) -> Constraint:
        """Compile what the field ``param`` of a request asks for.

        Raises InvalidRequestError, also when it takes too long.
        """
        with self._deep_stack():
            self._begin_to_load()
            work = asyncio.get_running_loop().run_in_executor(self._pool, self._compile, spec)
        try:
            return await asyncio.wait_for(work, self._limits.seconds)
        except TimeoutError:
            reason = f"did not compile within {self._limits.seconds:g} seconds"
        except RecursionError:
            reason = "is nested too deeply"
        except ValueError as error:
            reason = one_line(str(error))
        raise InvalidRequestError(f"{param}: {reason}.", param=param)

    def _begin_to_load(self) -> None:
        """Read the tokenizer on a thread. Does nothing the second time."""
        if self._vocabulary is None:
            self._vocabulary = self._pool.submit(self._load)
            self._vocabulary.add_done_callback(_warn)

    def _compile(self, spec: ConstraintSpec) -> Constraint:
        grammar = spec.text()
        limit = self._limits.max_bytes
        if (num_bytes := len(grammar.encode())) > limit:
            raise ValueError(f"has {num_bytes} bytes, but at most {limit} are allowed")
        return self._compile_text(grammar)

    def _compile_anew(self, grammar: str) -> Constraint:
        assert self._vocabulary, "begun by compile"
        self._trials.check(grammar, self._limits.seconds)
        return self._vocabulary.result().compile(grammar)

    @contextmanager
    def _deep_stack(self) -> Iterator[None]:
        """Give threads that start now a stack for the deepest grammar; it costs what is used."""
        usual = threading.stack_size(self._stack_bytes)
        try:
            yield
        finally:
            threading.stack_size(usual)


def _warn(vocabulary: "Future[GrammarVocabulary]") -> None:
    if not vocabulary.cancelled() and (error := vocabulary.exception()):
        _log.warning(
            "structured output is not available with this tokenizer: %s", one_line(str(error))
        )
