"""Writes the dashboards' JSON.

    python -m deploy.grafana.generate      # writes deploy/grafana/dashboards/*.json

The Python is the source: a test compares the files with what it makes.
"""

import json
from pathlib import Path
from typing import Final

from deploy.grafana.energy import ENERGY
from deploy.grafana.memory import MEMORY
from deploy.grafana.overview import OVERVIEW

FOLDER: Final = Path(__file__).parent / "dashboards"
DASHBOARDS: Final = {"overview": OVERVIEW, "memory": MEMORY, "energy": ENERGY}


def texts() -> dict[str, str]:
    """The text of each dashboard's file, by the name of the file."""
    return {
        f"{name}.json": json.dumps(dashboard.json(), indent=2, ensure_ascii=False) + "\n"
        for name, dashboard in DASHBOARDS.items()
    }


def main() -> None:
    """Write all of them."""
    for name, text in texts().items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
