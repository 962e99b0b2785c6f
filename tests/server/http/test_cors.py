"""A web page may call the server only from an origin that was named."""

from pathlib import Path

import httpx
import pytest

from sterna.server.settings import Settings
from tests.server.scripted import make_settings

PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "x-a"}
ALLOWED = "access-control-allow-origin"


def origin(name: str) -> dict[str, str]:
    return {"origin": name}


async def test_by_default_no_origin_is_allowed(client: httpx.AsyncClient) -> None:
    headers = origin("http://one.example")
    for response in (
        await client.get("/v1/models", headers=headers),
        await client.options("/v1/models", headers=headers | PREFLIGHT),
    ):
        assert ALLOWED not in response.headers


class TestAllowed:
    @pytest.fixture
    def settings(self, folder: Path) -> Settings:
        origins = " http://one.example , https://two.example,"
        return make_settings(folder, allowed_origins=origins, api_key="secret")

    async def test_only_the_named_ones_are(self, client: httpx.AsyncClient) -> None:
        for name, allowed in [("http://one.example", True), ("http://one.example.org", False)]:
            headers = origin(name)
            preflight = await client.options("/v1/completions", headers=headers | PREFLIGHT)
            assert preflight.status_code == (200 if allowed else 400)
            assert (preflight.headers.get(ALLOWED) == name) == allowed
            assert allowed or preflight.json()["error"]["type"] == "invalid_request_error"
            refusal = await client.get("/v1/models", headers=headers)
            assert refusal.status_code == 401  # which the page may read
            assert (refusal.headers.get(ALLOWED) == name) == allowed
