"""A ``sterna serve`` of our own, and what can be seen of it from outside."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

OPTIONS = {
    "port": 0,
    "threads": 1,
    "kv-cache-tokens": 576,  # some requests must be preempted
    "max-batch-requests": 8,
    "max-waiting-requests": 16,
    "max-queued-bytes": 60_000,
    **dict.fromkeys(("send-timeout-seconds", "constraint-seconds", "shutdown-seconds"), 600),
}
START_SECONDS = 300.0
END_SECONDS = 600.0


class ServerProcess:
    """Started by the constructor; ``end`` or ``kill`` it."""

    def __init__(self, folder: Path, settings: Mapping[str, object] = OPTIONS) -> None:
        self.log_path = folder / "log"
        options = [f"--{name}={value}" for name, value in settings.items()]
        options.append(f"--cache-dir={folder / 'cache'}")
        with self.log_path.open("wb") as log:
            command = [sys.executable, "-m", "sterna", "serve", *options]
            self._process = subprocess.Popen(command, stderr=log)
        self.url = self._wait_for_url()

    def memory_mb(self) -> float:
        """Anonymous memory, in RAM and swapped out: what a leak would take."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        sizes = re.findall(r"^(?:RssAnon|VmSwap):\s+(\d+) kB", status, re.MULTILINE)
        return sum(map(int, sizes)) / 1024

    def tell_to_end(self) -> None:
        """SIGTERM."""
        self._process.send_signal(signal.SIGTERM)

    def exit_code(self) -> int:
        """Wait for the end."""
        return self._process.wait(END_SECONDS)

    def kill(self) -> None:
        """End it whatever it does; nothing happens if it has ended."""
        self._process.kill()
        self._process.wait()

    def log(self) -> str:
        """All that it has said."""
        return self.log_path.read_text()

    def _wait_for_url(self) -> str:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if found := re.search(r"running on (http://[\d.]+:\d+)", self.log()):
                return found[1]
            time.sleep(0.05)
        self.kill()
        raise RuntimeError(f"the server did not start:\n{self.log()}")


async def metrics(client: httpx.AsyncClient) -> dict[str, float]:
    """Sums of all samples by name."""
    sums: dict[str, float] = {}
    response = await client.get("/metrics")
    for family in text_string_to_metric_families(response.raise_for_status().text):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    return sums
