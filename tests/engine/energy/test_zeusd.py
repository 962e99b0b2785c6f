"""The daemon's HTTP, spoken over a real Unix socket and over TCP with a server of our own.

The form of its answers is that of zeusd 0.5; the daemon itself was not at hand.
"""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sterna.engine.energy import zeusd
from sterna.engine.energy.source import SourceError
from sterna.engine.energy.zeusd import ZeusdSource

ANSWER = {
    "0": {"cpu_energy_uj": 2_000_000, "dram_energy_uj": 500_000},
    "1": {"cpu_energy_uj": 1_000_000, "dram_energy_uj": None},
}


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine may be paused."""
    monkeypatch.setattr(zeusd, "_TIMEOUT_SECONDS", 120.0)


class UnixServer(socketserver.UnixStreamServer):
    """HTTP handlers expect an address of two parts."""

    def get_request(self) -> tuple[Any, Any]:
        """Accept a connection."""
        request, _ = super().get_request()
        return request, ("local", 0)


@contextmanager
def daemon(address: str | None, body: bytes, status: int = 200) -> Iterator[str]:
    """Answer every request with this; address None: a TCP port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            assert url.path == "/cpu/get_cumulative_energy"
            assert parse_qs(url.query) == {"cpu": ["true"], "dram": ["true"]}
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server: socketserver.BaseServer
    if address is None:
        server = HTTPServer(("127.0.0.1", 0), Handler)
        address = f"127.0.0.1:{server.server_port}"
    else:
        server = UnixServer(address, Handler)
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield address
        finally:
            server.shutdown()
            thread.join()


def test_processors_are_added_up_over_a_socket(tmp_path: Path) -> None:
    with daemon(str(tmp_path / "s"), json.dumps(ANSWER).encode()) as address:
        assert ZeusdSource(address).read() == {"package": 3.0, "dram": 0.5}


def test_processors_are_added_up_over_tcp() -> None:
    with daemon(None, json.dumps(ANSWER).encode()) as address:
        assert ZeusdSource(address).read() == {"package": 3.0, "dram": 0.5}


def test_a_daemon_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"zeusd at .*none\.sock: No such file"):
        ZeusdSource(str(tmp_path / "none.sock")).read()


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"{}", 401, "answered with status 401"),
        (b"not json", 200, "unexpected answer"),
        (b"[1]", 200, "unexpected answer"),
        (b'{"0": {"cpu_energy_uj": "many"}}', 200, "unexpected answer"),
    ],
)
def test_an_answer_that_makes_no_sense_is_refused(
    tmp_path: Path, body: bytes, status: int, message: str
) -> None:
    with (
        daemon(str(tmp_path / "s"), body, status) as address,
        pytest.raises(SourceError, match=message),
    ):
        ZeusdSource(address).read()
