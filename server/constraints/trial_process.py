"""A process that compiles grammars to see what becomes of it: one that must not, kills it.

For each line of stdin, a grammar for llguidance as a JSON string, it writes an empty line, whether
the grammar is good or not; at the start, too. ``server/constraints/trials.py`` starts it. It knows
of no model: 256 tokens, one for each byte, make it small and quick to start.
"""

import json
import resource
import signal
import sys
import threading
from typing import Final

from llguidance import LLMatcher, LLTokenizer

from sterna.server.constraints.parser_limits import LIMITS

MAX_BYTES: Final = 1 << 30  # that compiling may take, beside the stack
PROBED_BYTES: Final = 32
NUM_IDS: Final = 256


def main() -> None:
    """Serve on a thread with a stack of as many bytes as the command line says."""
    stack_bytes = int(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal; the server ends this by itself
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (stack_bytes + MAX_BYTES,) * 2)
    threading.stack_size(stack_bytes)
    thread = threading.Thread(target=serve)
    thread.start()
    thread.join()


def serve() -> None:
    """Try each grammar, until there are no more."""
    tokens = LLTokenizer("byte")
    _answer()
    for line in sys.stdin.buffer:
        attempt(tokens, json.loads(line))
        _answer()


def attempt(tokens: LLTokenizer, grammar: str) -> None:
    """Compile, and go some bytes along one path."""
    matcher = LLMatcher(tokens, grammar, log_level=0, limits=LIMITS)
    for _ in range(PROBED_BYTES):
        if matcher.is_error() or matcher.is_stopped():
            break
        mask = matcher.compute_bitmask()
        allowed = (i for i in range(NUM_IDS) if mask[i // 8] >> i % 8 & 1)
        byte = next(allowed, None)
        if byte is None:
            break
        matcher.consume_token(byte)


def _answer() -> None:
    sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
