"""The text side of a model, by what its path leads to."""

from pathlib import Path

from sterna.server.text.checkpoint_text import CheckpointText, FolderText
from sterna.server.text.gguf_text import GgufText


def checkpoint_text(path: Path) -> CheckpointText:
    """Return that of a folder, or of a GGUF file."""
    return FolderText(path) if path.is_dir() else GgufText(path)
