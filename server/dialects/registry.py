"""Which dialects there are, and which of them a path speaks."""

from typing import Final

from sterna.server.dialects.anthropic import ANTHROPIC
from sterna.server.dialects.dialect import Dialect
from sterna.server.dialects.openai import OPENAI

DIALECTS: Final[tuple[Dialect, ...]] = (OPENAI, ANTHROPIC)


def dialect_of(path: str) -> Dialect:
    """Return the dialect of a URL's path, whether there is something at this path or not."""
    spoken = (dialect for dialect in DIALECTS if path.startswith(dialect.prefix))
    return max(spoken, key=lambda dialect: len(dialect.prefix))
