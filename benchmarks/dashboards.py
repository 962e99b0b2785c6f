"""Draws docs/images/dashboard-*.svg: the dashboards' panels, from a run that is made for it.

    python -m benchmarks.dashboards        # needs Prometheus on the PATH; about two minutes

A real server with the built-in model under load and a real Prometheus; a made-up counter of
energy (``benchmarks/monitoring/powercap.py``). No Grafana: the drawing is our own.
"""

import asyncio
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.monitoring.load import load
from benchmarks.monitoring.picture import Picture
from benchmarks.monitoring.watched import watched
from deploy.grafana.generate import FOLDER

IMAGES: Final = Path(__file__).parents[1] / "docs" / "images"
CLIENTS: Final = (2, 6, 16, 32, 12, 4)
PHASE_SECONDS: Final = 15.0
NOTE: Final = (
    "Drawn by benchmarks/dashboards.py, not by Grafana, from a real server and a real Prometheus."
)
MADE_UP: Final = " The energy counter is made up: this machine has none."


def main() -> None:
    """Run the load, then draw."""
    with TemporaryDirectory() as folder, watched(Path(folder)) as seen:
        start = time.time()
        asyncio.run(load(seen.url, seen.model, CLIENTS, PHASE_SECONDS))
        picture = Picture(seen, start, time.time() - 1, made_up=f"{folder}/powercap")
        for path in sorted(FOLDER.glob("*.json")):
            note = NOTE + MADE_UP * (path.stem == "energy")
            drawing = picture.svg(json.loads(path.read_text()), note)
            (IMAGES / f"dashboard-{path.stem}.svg").write_text(drawing)
            print(path.stem, len(drawing) // 1000, "kB")


if __name__ == "__main__":
    main()
