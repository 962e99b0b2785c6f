"""A fake powercap folder, as Linux shows it for a machine with RAPL."""

from pathlib import Path

RANGE_UJ = 1_000_000_000


class FakePowercap:
    """Zones by their folder's name, such as ``intel-rapl:0:1``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, zone: str, name: str, energy_uj: int = 0, range_uj: int = RANGE_UJ) -> None:
        """Make a zone."""
        folder = self.root / zone
        folder.mkdir(parents=True)
        (folder / "name").write_text(f"{name}\n")
        (folder / "max_energy_range_uj").write_text(f"{range_uj}\n")
        self.set(zone, energy_uj)

    def set(self, zone: str, energy_uj: int) -> None:
        """Let a counter stand at a value, at once: as in sysfs, no reader sees half of it."""
        new = self.root / zone / "energy_uj.new"
        new.write_text(f"{energy_uj}\n")
        new.replace(self.root / zone / "energy_uj")

    def remove(self, zone: str) -> None:
        """Let a counter vanish."""
        (self.root / zone / "energy_uj").unlink()
