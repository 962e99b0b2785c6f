"""A server of its own process, with a made-up energy counter, watched by Prometheus."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.monitoring.powercap import fake_powercap
from benchmarks.monitoring.prometheus import Prometheus, prometheus

ALERTS = Path(__file__).parents[2] / "deploy/prometheus/alerts.yml"
OPTIONS = {  # small enough that a few clients fill the batch, the queue and the cache
    "port": 0,
    "max-batch-requests": 12,
    "max-waiting-requests": 12,
    "max-batch-tokens": 64,
    "kv-cache-tokens": 1024,
    "log-format": "json",
}


@dataclass(frozen=True, slots=True)
class Watched:
    """The server and who watches it."""

    url: str
    model: str
    prometheus: Prometheus
    at: float | None = None  # Unix time that is asked about, in seconds; None: now

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The samples of a dashboard's expression."""
        return self.prometheus.query(self.fill_in(expr), self.at)

    def query_range(self, expr: str) -> list[dict[str, Any]]:
        """The series of a dashboard's expression over the last ten minutes."""
        end = self.at or time.time()
        return self.prometheus.query_range(self.fill_in(expr), end - 600, end, 1.0)

    def fill_in(self, expr: str) -> str:
        """A dashboard's expression with the values of its variables."""
        values = {"model_name": self.model, "instance": ".*", "source": "rapl"}
        for name, value in values.items():
            expr = expr.replace(f"${name}", value)
        return expr.replace("$__rate_interval", "5s")


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    """Run all of it; logs and data in ``folder``."""
    energy = {"powercap-dir": folder / "powercap"}
    with fake_powercap(folder / "powercap") as follow, server(folder, energy) as (url, pid):
        follow(pid)
        model = httpx.get(f"{url}/v1/models", timeout=60).json()["data"][0]["id"]
        with prometheus(url.removeprefix("http://"), ALERTS, folder) as watcher:
            yield Watched(url, model, watcher)


@contextmanager
def server(folder: Path, more: Mapping[str, object]) -> Iterator[tuple[str, int]]:
    """Run a server with the built-in model and these options; its address and process id."""
    options = {**OPTIONS, "cache-dir": folder / "cache", **more}
    command = [sys.executable, "-m", "sterna", "serve"]
    command += [text for name, value in options.items() for text in (f"--{name}", str(value))]
    log = folder / "server.log"
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            yield _address(log, process), process.pid
        finally:
            process.terminate()


def _address(log: Path, process: subprocess.Popen[bytes]) -> str:
    while process.poll() is None:
        for word in log.read_text().split():
            if word.startswith("http://"):
                return word.strip('",()')
        time.sleep(0.1)
    raise RuntimeError(f"the server has ended: {log.read_text()[-2000:]}")
