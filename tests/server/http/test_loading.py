"""While a model loads, the port says so; then the server takes it over."""

import socket
from pathlib import Path

import httpx
import pytest

from sterna.server.errors import UnavailableError
from sterna.server.http.loading import answered_while_loading
from sterna.server.settings import Settings
from tests.server.scripted import LIMIT_SECONDS, make_settings


@pytest.fixture
def settings(folder: Path) -> Settings:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return make_settings(folder, port=port, root_path="/sterna")


def test_it_is_alive_not_ready_and_lets_go_of_the_port(settings: Settings) -> None:
    url = f"http://127.0.0.1:{settings.port}"
    transport = httpx.HTTPTransport(retries=20)  # until it listens
    with (
        answered_while_loading(settings),
        httpx.Client(base_url=url, transport=transport, timeout=LIMIT_SECONDS) as client,
    ):
        for path in ("/health/live", "/health/live/", "/sterna/health/live"):
            assert client.get(path).json() == {"status": "live"}
        assert client.head("/health/live").status_code == 200
        for path in ("/health", "/health/ready", "/v1/models", "/v1/messages"):
            response = client.get(path, headers={"x-request-id": "mine"})
            assert response.status_code == UnavailableError.status
            assert 1 <= int(response.headers["retry-after"]) <= 60
            assert response.headers["connection"] == "close"
            assert response.headers["x-request-id"] == "mine"
        assert client.post("/v1/completions", json={}).json()["error"]["code"] == "loading"
    with socket.create_server(("127.0.0.1", settings.port)):
        pass


def test_any_free_port_is_not_known_yet(folder: Path) -> None:
    with answered_while_loading(make_settings(folder)):
        pass
