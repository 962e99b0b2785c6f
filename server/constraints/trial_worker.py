"""One process that tries grammars, as the server sees it: see ``trial_process``."""

import json
import select
import subprocess
import sys
from contextlib import suppress
from typing import Final

MODULE: Final = "sterna.server.constraints.trial_process"


class TrialWorker:
    """A process of its own. It ends with the server, whose end closes its stdin."""

    def __init__(self, stack_bytes: int, seconds: float) -> None:
        """Start it. Takes a tenth of a second.

        Raises RuntimeError if it doesn't start, TimeoutError if that takes too long.
        """
        command = [sys.executable, "-P", "-m", MODULE, str(stack_bytes)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            self._wait(seconds)
        except EOFError:
            raise RuntimeError(f"{' '.join(command)} ends with code {self.end()}") from None
        except BaseException:
            self.end()
            raise

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def compile(self, grammar: str, seconds: float) -> None:
        """Return once it has compiled a grammar, or found that it can't.

        Raises EOFError if it ended, TimeoutError if it takes longer; then only ``end`` is left.
        """
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(grammar).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise EOFError from None
        self._wait(seconds)

    def end(self) -> int:
        """End it, and return its exit code."""
        self._process.kill()
        with suppress(BrokenPipeError), self._process:
            pass  # closes its pipes, and waits
        return self._process.wait()

    def _wait(self, seconds: float) -> None:
        """Wait for its empty line."""
        assert self._process.stdout
        poll = select.poll()  # of any file descriptor, where select has 1,024
        poll.register(self._process.stdout, select.POLLIN)
        if not poll.poll(1000 * seconds):
            raise TimeoutError
        if not self._process.stdout.readline():
            raise EOFError
