"""The progress bar of a terminal, with log lines above it."""

from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from sterna.engine import Progress


@contextmanager
def terminal_bar(unit: str) -> Iterator[Progress]:
    """See ``progress_bar``."""
    with (
        logging_redirect_tqdm(),
        tqdm(unit=unit, unit_scale=unit == "B", leave=False) as bar,
    ):

        def show(what: str, done: int, total: int) -> None:
            bar.set_description(what, refresh=False)
            bar.total = total
            bar.update(done - bar.n)

        yield show
