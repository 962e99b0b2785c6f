"""A progress bar on a terminal; nothing where there is none."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def progress_bar(unit: str) -> Iterator[Callable[[str, int, int], None]]:
    """Yield what takes progress: what is going on, how much is done, how much there is in all.

    Amounts are shown with the unit behind them; bytes are ``B`` and get a prefix.
    """
    with tqdm(
        unit=unit, unit_scale=unit == "B", disable=not sys.stderr.isatty(), leave=False
    ) as bar:

        def show(what: str, done: int, total: int) -> None:
            bar.set_description(what, refresh=False)
            bar.total = total
            bar.update(done - bar.n)

        yield show
