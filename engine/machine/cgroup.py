"""Control groups of this process (Linux, versions 1 and 2): the limits a container sets.

Reads files only. ``root`` is the root of the file system, another folder in tests.
"""

from collections.abc import Iterator
from pathlib import Path

FILE_SYSTEM = Path("/")


def folders_v2(root: Path) -> Iterator[Path]:
    """Yield the folder of this process's group and of each group above it, innermost first."""
    yield from _folders(root / "sys/fs/cgroup", _group_path(root, ""))


def folders_v1(root: Path, controller: str) -> Iterator[Path]:
    """Yield the same for one controller, such as "memory" or "cpu", of version 1."""
    yield from _folders(root / "sys/fs/cgroup" / controller, _group_path(root, controller))


def read_number(file: Path) -> int | None:
    """Read a file that holds one number; None if there is no such file or number ("max")."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None


def _group_path(root: Path, controller: str) -> str:
    """Find the group in lines like ``4:cpu,cpuacct:/path``, or ``0::/path`` for version 2."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return "/"
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path
    return "/"


def _folders(mount: Path, group_path: str) -> Iterator[Path]:
    """Walk up from the group to the mount.

    A container may see its own group mounted at the top, and a path that exists only outside.
    """
    group = mount / group_path.strip("/")
    while group != mount:
        if group.is_dir():
            yield group
        group = group.parent
    if mount.is_dir():
        yield mount
