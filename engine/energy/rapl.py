"""RAPL: energy counters of Intel's and AMD's processors, as the powercap file system shows them.

Zones overlap: a package contains its cores and uncore, psys contains all. Only packages are
added up, and the memory's zone, which no package contains, is a domain of its own. Folders of
``intel-rapl-mmio`` show the same packages again and are left out.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sterna.engine.energy.source import Scope, SourceError

POWERCAP_DIR: Final = Path("/sys/class/powercap")
_ZONE: Final = re.compile(r"intel-rapl:\d+(:\d+)?")
_DOMAINS: Final = (
    (re.compile(r"package-\d+(-die-\d+)?"), "package"),  # one for each die where a package has more
    (re.compile(r"dram"), "dram"),
)


class RaplSource:
    """Reads all packages of the machine, and the memory where it has zones of its own."""

    name: Final = "rapl"
    scope: Final[Scope] = "host"

    def __init__(self, folder: Path = POWERCAP_DIR) -> None:
        self.detail: Final = f"energy counters in {folder}"
        self._folder = folder
        self._zones: list[_Zone] = []

    def read(self) -> Mapping[str, float]:
        """See ``Source``. After a failure all counters start anew: they may have been reset."""
        if not self._zones:
            self._zones = _find_zones(self._folder)
        try:
            joules: defaultdict[str, float] = defaultdict(float)
            for zone in self._zones:
                joules[zone.domain] += zone.read_joules()
        except SourceError:
            self._zones = []
            raise
        return joules


@dataclass(slots=True)
class _Zone:
    folder: Path
    domain: str
    range_uj: int  # the counter starts again from zero above this
    last_uj: int | None = None
    total_uj: int = field(default=0)

    def read_joules(self) -> float:
        """Return what the counter has grown by since the first reading.

        One that went back by less than half its range was reset, as after hibernation: what it did
        meanwhile is not known.
        """
        now = _read_number(self.folder / "energy_uj")
        if self.last_uj is not None:
            grown = now - self.last_uj
            if grown < -self.range_uj // 2:
                grown += self.range_uj
            self.total_uj += max(grown, 0)
        self.last_uj = now
        return self.total_uj / 1e6


def _find_zones(folder: Path) -> list[_Zone]:
    if not folder.is_dir():
        raise SourceError(
            f"{folder} does not exist: this machine has no RAPL, or the container does not see it"
        )
    zones = []
    for path in sorted(folder.iterdir()):
        if _ZONE.fullmatch(path.name) and (domain := _domain(path)):
            zones.append(_Zone(path, domain, _read_number(path / "max_energy_range_uj")))
    if not any(zone.domain == "package" for zone in zones):
        raise SourceError(f"{folder} has no zone for a CPU package")
    return zones


def _domain(zone: Path) -> str | None:
    name = _read_text(zone / "name")
    return next((domain for pattern, domain in _DOMAINS if pattern.fullmatch(name)), None)


def _read_number(file: Path) -> int:
    text = _read_text(file)
    if not text.isdecimal():
        raise SourceError(f"{file} contains {text!r}, expected a number")
    return int(text)


def _read_text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except PermissionError:
        raise SourceError(f"{file} is not readable: grant this user access, or run zeusd") from None
    except OSError as error:
        raise SourceError(f"{file}: {error.strerror}") from None
