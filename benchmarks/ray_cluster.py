"""A Ray cluster on this machine, for `make test-ray` and for a benchmark: options in, a URL out.

Some of Ray's ports listen on every address: run it where the network is localhost alone, as
``make test-ray`` does. Processes are found by that network, so none of another cluster is.
"""

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

URL = "http://127.0.0.1:18300"
LIMIT_SECONDS = 300


class RayCluster:
    """Where Sterna is deployed, again and again."""

    def __init__(self, folder: Path, logs: Path) -> None:
        self._folder = folder
        self._logs = logs
        self._targets = folder / "targets"

    def deploy(self, **options: object) -> None:
        """Run the application with these options, in place of what runs, and wait for it."""
        from ray import serve

        from deploy.ray.app import ClusterOptions, build

        fixed = {"metrics_folder": str(self._targets), "cache_dir": str(self._folder / "packed")}
        small = {"kv_cache_tokens": 8192}
        serve.run(build(ClusterOptions.model_validate(fixed | small | options)))
        wait_until(lambda: self.num_running == options.get("replicas", 1))

    @property
    def num_running(self) -> int:
        """Replicas that can take requests."""
        from ray import serve

        states = serve.status().applications["default"].deployments["Sterna"].replica_states
        return int({str(getattr(k, "value", k)): n for k, n in states.items()}.get("RUNNING", 0))

    def logged(self) -> str:
        """What all processes have written to standard error."""
        return "\n".join(path.read_text() for path in self._logs.glob("worker-*.err"))

    def counter(self, name: str) -> dict[str, float]:
        """A metric of each replica that lives, summed over its labels."""
        found = {}
        for path in self._targets.glob("*.json"):
            (target,) = json.loads(path.read_text())
            try:
                url = f"http://{target['targets'][0]}/metrics"
                text = httpx.get(url, timeout=LIMIT_SECONDS).text
            except httpx.TransportError:
                continue  # of a replica that was killed
            values = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
            found[target["labels"]["replica"]] = sum(map(float, values))
        return found


def replica_pids() -> list[int]:
    """Processes of replicas in this network."""
    network = Path("/proc/self/ns/net").stat().st_ino
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            ours = (folder / "ns/net").stat().st_ino == network
            if ours and b"ServeReplica:default:Sterna" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue  # it has ended
    return found


def wait_until(condition: Callable[[], bool]) -> None:
    """Raise AssertionError if it does not come true in minutes."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.2)


@contextmanager
def ray_cluster(folder: Path) -> Iterator[RayCluster]:
    """An empty cluster of four CPUs, whatever the machine has."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray
    from ray import serve

    temporary = f"/tmp/ray-{os.getpid()}"  # sockets in it: their paths must be short
    ray.init(
        num_cpus=4,
        include_dashboard=False,
        object_store_memory=200 << 20,
        log_to_driver=False,
        _node_ip_address="127.0.0.1",
        _temp_dir=temporary,
    )
    try:
        serve.start(http_options={"host": "127.0.0.1", "port": int(URL.rpartition(":")[2])})
        yield RayCluster(folder, Path(temporary) / "session_latest/logs")
    finally:
        serve.shutdown()
        ray.shutdown()
        shutil.rmtree(temporary, ignore_errors=True)
