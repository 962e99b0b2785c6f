"""Mistakes to make in the code: what is replaced, by what, and the tests that notice."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TABLE: Final = Path(__file__).with_name("mutations.toml")


@dataclass(frozen=True, slots=True)
class Mutation:
    """One mistake in one file; it has a killer, or a reason why no test can notice."""

    file: str
    old: str
    new: str
    killer: str = ""
    equivalent: str = ""

    def __post_init__(self) -> None:
        assert bool(self.killer) != bool(self.equivalent), f"{self}: one of the two is needed"

    def apply(self, tree: Path) -> str:
        """Make the mistake in a copy of the code. Returns the correct text of the file."""
        path = tree / self.file
        text = path.read_text()
        count = text.count(self.old)
        assert count == 1, f"{self.file} has {count} times, not once: {self.old!r}"
        path.write_text(text.replace(self.old, self.new))
        return text


def mutations() -> list[Mutation]:
    """All of the table."""
    table = tomllib.loads(TABLE.read_text())
    return [Mutation(file, **fields) for file, rows in table.items() for fields in rows]
