"""A progress bar, shown only on a terminal."""

import sys
from contextlib import AbstractContextManager, nullcontext

from sterna.engine import Progress


def progress_bar(unit: str) -> AbstractContextManager[Progress]:
    """Yield a callback for progress: what is being done, the amount done, and the total.

    Amounts are shown followed by the unit; ``B``, for bytes, gets a prefix such as M.
    """
    if not sys.stderr.isatty():
        return nullcontext(_ignore)
    from sterna.server.commands.terminal_bar import terminal_bar  # noqa: PLC0415 (or not at all)

    return terminal_bar(unit)


def _ignore(what: str, done: int, total: int) -> None:
    pass
