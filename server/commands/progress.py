"""A progress bar on a terminal; nothing where there is none."""

import sys
from contextlib import AbstractContextManager, nullcontext

from sterna.engine import Progress


def progress_bar(unit: str) -> AbstractContextManager[Progress]:
    """Yield what takes progress: what is going on, how much is done, how much there is in all.

    Amounts are shown with the unit behind them; bytes are ``B`` and get a prefix.
    """
    if not sys.stderr.isatty():
        return nullcontext(_ignore)
    from sterna.server.commands.terminal_bar import terminal_bar  # noqa: PLC0415 (or not at all)

    return terminal_bar(unit)


def _ignore(what: str, done: int, total: int) -> None:
    pass
