"""Where Prometheus finds one replica: a port of its own, named in a file for file_sd_configs.

Ray's exporter would rename the families, and a request to the front reaches any replica.
"""

import json
from pathlib import Path

from prometheus_client import CollectorRegistry, start_http_server
from ray import serve
from ray.util import get_node_ip_address


class MetricsTarget:
    """Serves one registry on a free port, and keeps a file that says where."""

    def __init__(self, registry: CollectorRegistry, folder: str) -> None:
        address, replica = get_node_ip_address(), serve.get_replica_context().replica_id.unique_id
        self._server, self._thread = start_http_server(0, address, registry)
        target = {
            "targets": [f"{address}:{self._server.server_port}"],
            "labels": {"replica": replica},
        }
        self._path = Path(folder) / f"sterna-{replica}.json"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps([target]))

    def close(self) -> None:
        """Take the file back and close the port. What was killed leaves its file behind."""
        self._path.unlink(missing_ok=True)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
