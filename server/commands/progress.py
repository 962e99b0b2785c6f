"""A progress bar, shown only on a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def progress_bar(unit: str) -> Iterator[Callable[[str, int, int], None]]:
    """Yield a callback for progress: what is being done, the amount done, and the total.

    Amounts are shown followed by the unit; ``B``, for bytes, gets a prefix such as M.
    """
    with tqdm(
        unit=unit, unit_scale=unit == "B", disable=not sys.stderr.isatty(), leave=False
    ) as bar:

        def show(what: str, done: int, total: int) -> None:
            bar.set_description(what, refresh=False)
            bar.total = total
            bar.update(done - bar.n)

        yield show
