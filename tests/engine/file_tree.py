"""Fake file systems: what Linux says of memory, processors and control groups."""

from pathlib import Path


def write_tree(root: Path, files: dict[str, str]) -> Path:
    """Write each file, given by its path below the root, and return the root."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root
