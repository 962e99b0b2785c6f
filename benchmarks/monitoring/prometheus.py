"""A Prometheus of one's own, which scrapes one server each second."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

START_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running one. Times are Unix time, in seconds."""

    url: str

    def query(self, expr: str, at: float | None = None) -> list[dict[str, Any]]:
        """The samples of an expression now, or at a time. Raises ValueError."""
        found = self._get("query", {"query": expr} | ({} if at is None else {"time": at}))
        return list(found["result"])

    def query_range(self, expr: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """The series of an expression over a time. Raises ValueError."""
        found = self._get("query_range", {"query": expr, "start": start, "end": end, "step": step})
        return list(found["result"])

    def alerts(self) -> list[dict[str, Any]]:
        """All alert rules, with their health and state."""
        groups = self._get("rules", {"type": "alert"})["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def _get(self, what: str, params: dict[str, str | float]) -> dict[str, Any]:
        answer = httpx.get(f"{self.url}/api/v1/{what}", params=params, timeout=60).json()
        if answer["status"] != "success":
            raise ValueError(f"{answer['error']}: {params}")
        data: dict[str, Any] = answer["data"]
        return data


@contextmanager
def prometheus(target: str, alerts: Path, folder: Path) -> Iterator[Prometheus]:
    """Run one that scrapes ``target`` (HOST:PORT) and evaluates ``alerts``; its data in folder."""
    job = {
        "job_name": "sterna",
        "scrape_interval": "1s",
        "scrape_timeout": "1s",
        "static_configs": [{"targets": [target]}],
    }
    rules = {"evaluation_interval": "1s"}
    config = folder / "prometheus.yml"  # JSON is YAML
    config.write_text(
        json.dumps({"global": rules, "rule_files": [str(alerts)], "scrape_configs": [job]})
    )
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    command = [
        "prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}", "--log.level=warn",
    ]  # fmt: skip
    with subprocess.Popen(command) as process:
        try:
            _wait_until_ready(f"http://{address}/-/ready", process)
            yield Prometheus(f"http://{address}")
        finally:
            process.terminate()


def _wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(url).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise RuntimeError("Prometheus did not start")
