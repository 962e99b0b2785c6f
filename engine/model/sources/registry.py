"""The kinds of source that can be opened. A new one is a file beside this, and a line here."""

from pathlib import Path
from typing import Final

from sterna.engine.errors import CheckpointError
from sterna.engine.model.sources.folder import CONFIG_FILE, Folder
from sterna.engine.model.sources.source import Source

SOURCES: Final[tuple[type[Source], ...]] = (Folder,)


def open_source(path: Path) -> Source:
    """Open whatever the path leads to; raises CheckpointError for what none of them opens."""
    for source in SOURCES:
        if source.opens(path):
            return source(path)
    raise CheckpointError(f"{path}: found no folder, expected one with {CONFIG_FILE}")
