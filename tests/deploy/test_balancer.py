"""HAProxy, as configured in deploy/balancer, before two servers."""

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import httpx
import pytest

from tests.deploy.sterna_process import free_port, started, sterna

pytestmark = pytest.mark.deploy

CONFIG = Path(__file__).parents[2] / "deploy/balancer/haproxy.cfg"
LIMIT_SECONDS = 120


class Site:
    """A balancer and the two servers behind it."""

    def __init__(self, url: str, servers: dict[str, subprocess.Popen[bytes]]) -> None:
        self.url, self.servers = url, servers

    def ask(self, session: str = "") -> httpx.Response:
        url = f"{self.url}/v1/completions"
        headers = {"x-session-id": session} if session else {}
        return httpx.post(url, json=ASKED, headers=headers, timeout=LIMIT_SECONDS)

    def tokens(self, server: str) -> float:
        return metric(server, "vllm:generation_tokens_total")


ASKED = {"model": "sterna-builtin", "prompt": "A fox", "max_tokens": 4, "ignore_eos": True}


def metric(server: str, name: str) -> float:
    text = httpx.get(f"http://{server}/metrics", timeout=LIMIT_SECONDS).text
    return sum(map(float, re.findall(rf"^{name}{{.*}} (\S+)$", text, re.MULTILINE)))


@pytest.fixture
def patient(tmp_path: Path) -> Path:
    """The configuration, but a server that is paused for a while is not taken to be gone."""
    text = CONFIG.read_text()
    assert " fall 2 " in text
    path = tmp_path / "patient.cfg"
    path.write_text(text.replace(" fall 2 ", " fall 1000 "))
    return path


@contextmanager
def balancer(*servers: str, config: Path = CONFIG) -> Iterator[str]:
    """Its URL, once it has found one of the two servers ready."""
    haproxy = shutil.which("haproxy")
    if not haproxy:
        pytest.fail("apt-get install haproxy", pytrace=False)
    address = f"127.0.0.1:{free_port()}"
    variables = {"BALANCER_ADDRESS": address, "SERVER_A": servers[0], "SERVER_B": servers[1]}
    url = f"http://{address}"
    with started([haproxy, "-f", str(config)], f"{url}/health/ready", **variables):
        yield url


@contextmanager
def site(cache: Path, config: Path = CONFIG) -> Iterator[Site]:
    with (
        sterna(cache) as (first, a),
        sterna(cache) as (second, b),
        balancer(a, b, config=config) as url,
    ):
        yield Site(url, {a: first, b: second})


class SlowServer(ThreadingHTTPServer):
    """Streams an event, and the rest when it is told to."""

    def __init__(self) -> None:
        self.may_end, self.num_streams = Event(), 0
        super().__init__(("127.0.0.1", 0), SlowHandler)


class SlowHandler(BaseHTTPRequestHandler):
    server: SlowServer

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        if self.path == "/stream":
            self.server.num_streams += 1
            self.wfile.write(b"data: first\n\n")
            self.server.may_end.wait()
            self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def slow_servers() -> Iterator[list[SlowServer]]:
    servers = [SlowServer(), SlowServer()]
    for server in servers:
        Thread(target=server.serve_forever).start()
    yield servers
    for server in servers:
        server.shutdown()
        server.server_close()


def test_streams_pass_unbuffered_to_the_least_busy(
    slow_servers: list[SlowServer], patient: Path
) -> None:
    """The rest comes only after the client has seen the first: a buffer would wait for ever."""
    addresses = (f"127.0.0.1:{server.server_port}" for server in slow_servers)
    with balancer(*addresses, config=patient) as url, ExitStack() as streams:
        lines = []
        for _ in range(4):
            asked = httpx.stream("GET", f"{url}/stream", timeout=LIMIT_SECONDS)
            lines.append(streams.enter_context(asked).iter_lines())
            assert next(lines[-1]) == "data: first"
        assert [server.num_streams for server in slow_servers] == [2, 2]
        for server in slow_servers:
            server.may_end.set()
        assert all("data: [DONE]" in list(rest) for rest in lines)


def test_a_session_stays_where_its_cache_is(tmp_path: Path, patient: Path) -> None:
    with site(tmp_path, patient) as found:
        for _ in range(6):
            assert found.ask(session="seven").status_code == 200
        assert sorted(found.tokens(server) for server in found.servers) == [0, 24]


def test_a_server_that_stops_is_missed_by_nobody(tmp_path: Path) -> None:
    with site(tmp_path) as found:
        (_, going), (stays, _) = found.servers.items()
        going.send_signal(signal.SIGTERM)
        statuses = []
        while going.poll() is None:
            statuses.append(found.ask().status_code)
            time.sleep(0.1)
        # Refusals of a server that drains pass until the balancer has asked for its health.
        assert set(statuses) <= {200, 503}
        deadline = time.monotonic() + LIMIT_SECONDS
        while found.ask().status_code != 200:
            assert time.monotonic() < deadline
        before = found.tokens(stays)
        assert found.ask().status_code == 200
        assert found.tokens(stays) == before + 4
