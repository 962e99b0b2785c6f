"""A made-up tree of RAPL counters, which rise as if the server's work cost power.

For tests and pictures on machines that have no RAPL: 20 W, and 30 W more for each busy core.
Nothing that is shown from it is a measurement.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

ZONES = {"intel-rapl:0": ("package-0", 1.0), "intel-rapl:0:0": ("dram", 0.2)}  # its part of watts
IDLE_WATTS, CORE_WATTS = 20.0, 30.0
PERIOD_SECONDS = 0.1


@contextmanager
def fake_powercap(folder: Path) -> Iterator[Callable[[int], None]]:
    """Write the tree and keep it rising. Yields what to call with the process to follow."""
    for zone, (name, _) in ZONES.items():
        (folder / zone).mkdir(parents=True)
        (folder / zone / "name").write_text(f"{name}\n")
        (folder / zone / "max_energy_range_uj").write_text("262143328850\n")
        _write(folder / zone, 1_000_000)
    pids: list[int] = []
    stop = threading.Event()
    thread = threading.Thread(target=_rise, args=(folder, pids, stop), daemon=True)
    thread.start()
    try:
        yield pids.append
    finally:
        stop.set()
        thread.join()


def _rise(folder: Path, pids: list[int], stop: threading.Event) -> None:
    joules, last_at, last_busy = 1.0, monotonic(), 0.0
    while not stop.wait(PERIOD_SECONDS):
        now, busy = monotonic(), sum(map(_cpu_seconds, pids))
        joules += IDLE_WATTS * (now - last_at) + CORE_WATTS * max(busy - last_busy, 0.0)
        last_at, last_busy = now, busy
        for zone, (_, part) in ZONES.items():
            _write(folder / zone, int(joules * part * 1e6))


def _write(zone: Path, microjoules: int) -> None:
    fresh = zone / "energy_uj.new"
    fresh.write_text(f"{microjoules}\n")
    fresh.replace(zone / "energy_uj")  # at once, as the kernel's are


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
