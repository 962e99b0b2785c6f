"""Memory of this process, and the limit of its control group (Linux)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sterna.engine.machine import cgroup

UNLIMITED_BYTES = 1 << 60  # version 1 of control groups writes a number close to 2**63


@dataclass(frozen=True, slots=True)
class ProcessMemory:
    """A reading, in bytes. None: not known, or no limit."""

    resident_bytes: int | None  # with the pages of mapped files, such as weights
    anonymous_bytes: int | None  # of these, the process's own: without mapped files
    peak_bytes: int | None  # the most that was ever resident
    group_limit_bytes: int | None  # the least of all groups around the process

    @classmethod
    def read(cls, root: Path = cgroup.FILE_SYSTEM) -> Self:
        """Read them. ``root`` is the root of the file system, another folder in tests."""
        status = _status(root / "proc/self/status")
        return cls(
            resident_bytes=status.get("VmRSS"),
            anonymous_bytes=status.get("RssAnon"),
            peak_bytes=status.get("VmHWM"),
            group_limit_bytes=_group_limit(root),
        )


def _status(file: Path) -> dict[str, int]:
    """Return the lines of the form ``VmRSS:   1234 kB``, in bytes."""
    try:
        lines = [line.split() for line in file.read_text().splitlines()]
    except OSError:
        return {}
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if words[-1:] == ["kB"]}


def _group_limit(root: Path) -> int | None:
    files = [group / "memory.max" for group in cgroup.folders_v2(root)]
    files += [group / "memory.limit_in_bytes" for group in cgroup.folders_v1(root, "memory")]
    limits = [limit for file in files if (limit := cgroup.read_number(file)) is not None]
    return min((limit for limit in limits if limit < UNLIMITED_BYTES), default=None)
