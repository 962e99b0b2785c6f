"""With keys, nothing but the health routes answers without one, and no key is ever shown."""

import logging
from hmac import compare_digest
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from sterna.engine import ConfigError
from sterna.server.http import auth
from sterna.server.http.auth import OPEN_PATHS, load_keys
from sterna.server.http.target import meant_path
from sterna.server.routes.page import PATHS
from sterna.server.settings import Settings
from tests.server.scripted import LIMIT_SECONDS, make_settings

KEYS = ("first-key", "second+key/=")
BODY = {"model": "scripted", "prompt": "Once"}


@pytest.fixture
def settings(folder: Path, tmp_path: Path) -> Settings:
    (tmp_path / "keys").write_text("\n third-key \n\n")
    return make_settings(folder, api_key=",".join(KEYS), api_key_file=tmp_path / "keys")


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


async def test_every_route_but_health_and_the_page_wants_a_key(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    paths = {route.path for route in app.routes if isinstance(route, APIRoute)}
    for path in sorted(
        paths | {"/openapi.json", "/nothing", "/page/app.js", "/page/x", "/health/", "/HEALTH"}
    ):
        is_closed = meant_path(path, "") not in OPEN_PATHS | PATHS
        for method in ("GET", "HEAD", "POST", "OPTIONS"):
            response = await client.request(method, path)
            assert (response.status_code == 401) == is_closed, path
            assert response.headers["x-request-id"]
            if response.status_code == 401 and method != "HEAD":
                assert response.headers["www-authenticate"] == "Bearer"
                error = response.json()["error"]
                assert (error["type"], error["code"]) == ("authentication_error", "invalid_api_key")


@pytest.mark.parametrize("key", [*KEYS, "third-key"])
async def test_any_of_the_keys_will_do(client: httpx.AsyncClient, key: str) -> None:
    for headers in (bearer(key), {"x-api-key": key}, {"authorization": f"bearer {key}"}):
        assert (await client.post("/v1/completions", json=BODY, headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        bearer("first-ke"),
        bearer("first-key2"),
        bearer(""),
        bearer(",".join(KEYS)),
        {"authorization": "first-key"},
        {"authorization": "Basic first-key"},
        {"authorization": b"Bearer \xff\xfe"},
        {"x-api-key": ""},
    ],
)
async def test_nothing_else_will(client: httpx.AsyncClient, headers: Any) -> None:
    response = await client.post("/v1/completions", json=BODY, headers=headers)
    assert response.status_code == 401


async def test_spaces_around_a_key_do_not_count(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/models", headers=bearer("  first-key "))
    assert response.status_code == 200


@pytest.mark.parametrize("headers", [bearer("first-key"), {"x-api-key": "first-key"}])
async def test_keys_are_compared_in_constant_time(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    """Each with each, in full, by a function made for it."""
    seen: list[tuple[bytes, bytes]] = []

    def compare(a: bytes, b: bytes) -> bool:
        seen.append((a, b))
        return compare_digest(a, b)

    monkeypatch.setattr(auth, "compare_digest", compare)
    await client.get("/v1/models", headers=headers)
    assert len(seen) == 2 * 3  # both headers, all keys
    assert {len(part) for pair in seen for part in pair} == {32}


async def test_the_openai_client_s_key_is_ours(base_url: str) -> None:
    async with openai.AsyncOpenAI(
        base_url=f"{base_url}/v1", api_key=KEYS[1], timeout=LIMIT_SECONDS
    ) as client:
        assert [model.id async for model in client.models.list()]
        stranger = client.with_options(api_key="none")
        with pytest.raises(openai.AuthenticationError) as caught:
            await stranger.models.list()
    assert caught.value.code == "invalid_api_key"


async def test_no_key_is_shown(
    client: httpx.AsyncClient, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for headers in (bearer("first-key"), bearer("wrong-key")):
        response = await client.post("/v1/completions", json=BODY, headers=headers)
        assert "key" not in response.text.replace("API key", "").replace("KEY", "").replace(
            "invalid_api_key", ""
        )
    lines = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    shown = "\n".join([*lines, repr(settings), str(settings), settings.model_dump_json()])
    for key in (*KEYS, "third-key", "wrong-key"):
        assert key not in shown


@pytest.mark.parametrize("value", ["", " ", ",", "one,", "two words", "gr\xfc\xdfe"])
def test_a_key_that_is_none_never_opens_the_server(value: str, folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.load({"api_key": value}, {})
    assert "--api-key" in str(caught.value)
    if value.strip(" ,"):
        assert value not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xff\xfe", None])
def test_a_file_without_keys_never_opens_the_server(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match="--api-key-file"):
        load_keys(Settings.load({"api_key_file": str(path)}, {}))


def test_a_key_comes_from_the_environment() -> None:
    assert load_keys(Settings.load({}, {"STERNA_API_KEY": "a,b"})) == ("a", "b")


@pytest.mark.parametrize("public", [False, True])
async def test_metrics_are_public_only_if_asked_for(folder: Path, public: bool) -> None:
    settings = make_settings(folder, metrics_public=str(public).lower())
    assert ("/metrics" in auth.open_paths(settings)) == public


async def test_without_keys_everyone_may(folder: Path) -> None:
    assert load_keys(make_settings(folder)) == ()
