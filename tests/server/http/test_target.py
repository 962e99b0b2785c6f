"""Which path a URL means: slashes, a proxy's prefix, HEAD, and what is close to a wrong one."""

from pathlib import Path

import httpx
import pytest

from sterna.server.http.target import meant_path
from sterna.server.settings import Settings
from tests.server.scripted import make_settings

READABLE = ["/", "/page/app.js", "/v1/models", "/v1/models/scripted", "/health", "/health/live",
            "/health/ready", "/ping", "/version", "/metrics", "/openapi.json"]  # fmt: skip
PREFIX = "/models/sterna"


@pytest.mark.parametrize(
    ("path", "prefix", "meant"),
    [
        ("/", "", "/"),
        ("//", "", "/"),
        ("/v1/models/", "", "/v1/models"),
        ("//v1///models//", "", "/v1/models"),
        ("/sterna/v1/models", "/sterna", "/v1/models"),
        ("/v1/models", "/sterna", "/v1/models"),
        ("/sterna", "/sterna", "/"),
        ("/sterna/", "/sterna", "/"),
        ("/sternal", "/sterna", "/sternal"),
        ("//sterna//v1", "/sterna", "/v1"),
        ("*", "", "*"),
    ],
)
def test_the_path_that_is_meant(path: str, prefix: str, meant: str) -> None:
    assert meant_path(path, prefix) == meant


@pytest.mark.parametrize("path", READABLE)
async def test_head_is_get_without_the_body(base_url: str, path: str) -> None:
    async with httpx.AsyncClient(base_url=base_url) as client:
        get, head = await client.get(path), await client.head(path)
        assert (get.status_code, head.status_code) == (200, 200)
        assert head.content == b""
        if path != "/metrics":  # which counts the requests
            assert head.headers["content-length"] == get.headers["content-length"]
        assert head.headers["content-type"] == get.headers["content-type"]


async def test_head_is_no_post(client: httpx.AsyncClient) -> None:
    for path, allowed in (("/v1/completions", "POST"), ("/v1/models", "GET, HEAD")):
        method = "HEAD" if allowed == "POST" else "DELETE"
        response = await client.request(method, path)
        assert (response.status_code, response.headers["allow"]) == (405, allowed)


async def test_slashes_mean_nothing(client: httpx.AsyncClient) -> None:
    for path in ("/v1/models/", "//v1//models", "/v1/models/alias/of-it/"):
        assert (await client.get(f"http://localhost{path}")).status_code == 200, path
    body = {"model": "scripted", "prompt": "Once"}
    assert (await client.post("/v1/completions/", json=body)).status_code == 200


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/chat/completions", "/v1/chat/completions"),
        ("/v1/v1/models", "/v1/models"),
        ("/v1/chat/completion", "/v1/chat/completions"),
        ("/metric", "/metrics"),
        ("/v1/embeddings", "/v1/completions"),
        ("/xyz", None),
        ("/" + "x" * 60_000, None),
    ],
)
async def test_a_wrong_url_names_the_nearest_one(
    client: httpx.AsyncClient, path: str, meant: str | None
) -> None:
    response = await client.get(path)
    assert response.status_code == 404
    hint = f" The nearest is {meant}." if meant else ""
    assert response.json()["error"]["message"] == f"No such endpoint.{hint}"


class TestBehindAProxy:
    @pytest.fixture(params=[True, False])
    def headers(self, request: pytest.FixtureRequest) -> dict[str, str]:
        return {} if request.param else {"x-forwarded-prefix": f"{PREFIX}/"}

    @pytest.fixture
    def settings(self, folder: Path, headers: dict[str, str]) -> Settings:
        root_path = "" if headers else f"{PREFIX}/"
        return make_settings(folder, root_path=root_path, api_key="secret")

    @pytest.mark.parametrize("kept", ["", PREFIX])  # the proxy takes it off, or not
    async def test_everything_is_where_the_proxy_has_put_it(
        self, client: httpx.AsyncClient, headers: dict[str, str], kept: str
    ) -> None:
        key = {"authorization": "Bearer secret"}
        assert (await client.get(f"{kept}/v1/models", headers=headers)).status_code == 401
        assert (await client.get(f"{kept}/v1/models", headers=headers | key)).status_code == 200
        assert (await client.get(f"{kept}/health", headers=headers)).status_code == 200
        assert (await client.get(f"{kept}/page/app.js", headers=headers)).status_code == 200
        page = (await client.get(f"{kept}/", headers=headers)).text
        assert f'src="{PREFIX}/page/app.js"' in page
        assert f'href="{PREFIX}/metrics"' in page
        document = (await client.get(f"{kept}/openapi.json", headers=headers | key)).json()
        assert document["servers"] == [{"url": PREFIX}]


@pytest.mark.parametrize("prefix", ["//evil.example", '/"><script>', "evil", "https://evil/"])
async def test_a_prefix_that_is_no_path_is_ignored(client: httpx.AsyncClient, prefix: str) -> None:
    page = await client.get("/", headers={"x-forwarded-prefix": prefix})
    assert 'src="/page/app.js"' in page.text
    assert "evil" not in page.text


def test_a_root_path_is_a_path() -> None:
    for given, prefix in (("/a/b/", "/a/b"), ("", ""), ("/", "")):
        assert Settings.load({"root_path": given}, {}).root_path == prefix
