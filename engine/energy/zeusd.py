"""zeusd, the daemon of the Zeus project, reads RAPL as root and serves it over a socket.

So the server needs no privileges, only access to the socket. It uses plain HTTP, without a
package of Zeus. The daemon must serve its group ``cpu-read``, without tokens; it takes care of the
counters' wrapping.
"""

import json
import socket
from collections import defaultdict
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any, Final

from sterna.engine.energy.source import Scope, SourceError

DEFAULT_ADDRESS: Final = "/run/zeusd/zeusd.sock"
_PATH: Final = "/cpu/get_cumulative_energy?cpu=true&dram=true"
_TIMEOUT_SECONDS: Final = 2.0
_FIELDS: Final = (("cpu_energy_uj", "package"), ("dram_energy_uj", "dram"))


class ZeusdSource:
    """Reads all processors that the daemon knows. ``address``: a socket's path, or host:port."""

    name: Final = "zeusd"
    scope: Final[Scope] = "host"

    def __init__(self, address: str = DEFAULT_ADDRESS) -> None:
        self.detail: Final = f"RAPL through zeusd at {address}"
        self._address = address

    def read(self) -> Mapping[str, float]:
        """See ``Source``; since the daemon's own beginning."""
        connection = self._connection()
        try:
            connection.request("GET", _PATH, headers={"Host": "zeusd"})
            response = connection.getresponse()
            body = response.read()
            if response.status != 200:
                raise SourceError(
                    f"zeusd at {self._address} answered with status {response.status}"
                )
            return _add_up(json.loads(body))
        except (OSError, HTTPException) as error:
            raise SourceError(f"zeusd at {self._address}: {_text(error)}") from None
        except (AttributeError, TypeError, ValueError):
            raise SourceError(f"zeusd at {self._address} sent an unexpected answer") from None
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        if self._address.startswith("/"):
            return _SocketConnection(self._address)
        return HTTPConnection(self._address, timeout=_TIMEOUT_SECONDS)


class _SocketConnection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _add_up(answer: Any) -> Mapping[str, float]:  # noqa: ANN401 (any JSON)
    """Add up ``{"0": {"cpu_energy_uj": 1, "dram_energy_uj": null}, ...}``, by processor."""
    joules: defaultdict[str, float] = defaultdict(float)
    for processor in answer.values():
        for field, domain in _FIELDS:
            if (energy_uj := processor.get(field)) is not None:
                joules[domain] += energy_uj / 1e6
    return joules


def _text(error: OSError | HTTPException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
