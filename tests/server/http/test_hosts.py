"""A server on loopback goes by names of loopback: else a web page could give it its own."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from sterna.server.http.hosts import allowed_hosts
from sterna.server.settings import Settings
from tests.server.http.wire import Wire
from tests.server.scripted import make_settings

LOOPBACK = ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "127.1.2.3", "[::1]", "[::1]:8000",
            "sterna.localhost", "localhost."]  # fmt: skip
OTHERS = ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example",
          "192.168.1.2", "[fe80::1]", "", "a b", "localhost:x", "localhost, a.example"]  # fmt: skip


class TestOnLoopback:
    @pytest.fixture
    def settings(self, folder: Path) -> Settings:
        return make_settings(folder, allowed_hosts=(), api_key="secret")

    async def test_only_its_names_are_ours(self, client: httpx.AsyncClient) -> None:
        for host in LOOPBACK:
            assert (await client.get("/health", headers={"host": host})).status_code == 200, host
        for host in OTHERS:
            for path in ("/", "/health", "/v1/models"):
                response = await client.get(path, headers={"host": host})
                assert response.status_code == 403, host
                error = response.json()["error"]
                assert (error["type"], error["code"]) == ("permission_error", "host_not_allowed")
                assert "--allowed-hosts" in error["message"]
                assert response.headers["x-request-id"]

    async def test_an_absolute_target_counts_not_the_header(self, base_url: str) -> None:
        request = b"GET http://%s/health HTTP/1.1\r\nhost: %s\r\n\r\n"
        for target, header, status in ((b"evil", b"localhost", 403), (b"localhost", b"evil", 200)):
            async with Wire(base_url) as wire:
                await wire.send(request % (target, header))
                assert (await wire.answer())[0] == status

    async def test_who_sends_no_host_is_no_browser(self, base_url: str) -> None:
        async with Wire(base_url) as wire:
            await wire.send(b"GET /health HTTP/1.0\r\n\r\n")
            assert (await wire.answer())[0] == 200


@pytest.mark.parametrize(
    ("options", "hosts"),
    [
        ({}, {"localhost"}),
        ({"host": "::1"}, {"localhost"}),
        ({"host": "localhost"}, {"localhost"}),
        ({"host": "0.0.0.0"}, {"*"}),
        ({"host": "0.0.0.0", "allowed_hosts": "A.example, b.example"}, {"a.example", "b.example"}),
        ({"allowed_hosts": " a.example ,"}, {"a.example", "localhost"}),
        ({"allowed_hosts": "*"}, {"*", "localhost"}),
    ],
)
def test_what_is_allowed(options: dict[str, Any], hosts: set[str]) -> None:
    assert allowed_hosts(Settings.load(options, {})) == hosts
