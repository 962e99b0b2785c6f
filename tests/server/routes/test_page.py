"""The page comes whole from the server itself, and runs nothing that is not."""

import re
from hashlib import sha256

import httpx
import pytest

from sterna.server.routes.page import FILES, FOLDER

KINDS = {
    "css": "text/css",
    "js": "text/javascript",
    "mjs": "text/javascript",
    "svg": "image/svg+xml",
}
OURS = [name for name in sorted(FILES) if not name.startswith("vendor/")]
VENDORED = re.compile(r"^\| `([^`]+)` .* `([0-9a-f]{64})` \|$", re.MULTILINE)
LOCAL = re.compile(r'(?:src|href)="([^"#]+)"|(?:from|import) "\./([^"]+)"')


async def test_the_page_is_html_under_a_strict_policy(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "<title>Sterna</title>" in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy  # no other host
    assert "require-trusted-types-for 'script'; trusted-types dompurify" in policy


@pytest.mark.parametrize("name", sorted(FILES))
async def test_its_files_have_their_type_and_may_be_cached_if_asked_again(
    client: httpx.AsyncClient, name: str
) -> None:
    answer = await client.get(f"/page/{name}")
    kind = KINDS[name.rpartition(".")[2]]
    assert answer.headers["content-type"].split(";")[0] == kind
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("range_", "status"), [("bytes=0-3", 206), ("bytes=9999999-", 416), ("lines=1", 400)]
)
async def test_a_range_that_is_wrong_has_the_documented_error(
    client: httpx.AsyncClient, range_: str, status: int
) -> None:
    answer = await client.get("/page/app.js", headers={"range": range_})
    assert answer.status_code == status
    if status != 206:
        assert answer.json()["error"]["type"] == "invalid_request_error"
        assert answer.headers["x-request-id"]
        assert (answer.headers.get("content-range") is not None) == (status == 416)


@pytest.mark.parametrize(
    "path",
    ["index.html", "nothing.js", "vendor/README.md", "vendor", "..%2Fapp.py", "%2Fetc%2Fpasswd"],
)
async def test_no_other_file_can_be_had(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(f"/page/{path}")).status_code == 404


@pytest.mark.parametrize("name", ["index.html", *OURS])
async def test_what_a_file_links_to_is_served_here(client: httpx.AsyncClient, name: str) -> None:
    text = (FOLDER / name).read_text()
    assert not re.search(
        r"\bon\w+=|style=|javascript:|<script>|<style>", text
    )  # the policy forbids
    for path, module in LOCAL.findall(text):
        answer = await client.get(path or f"/page/{module}")
        assert answer.status_code == 200, path or module


def test_libraries_are_those_that_the_readme_names() -> None:
    """With the licence of each beside it."""
    folder = FOLDER / "vendor"
    listed = dict(VENDORED.findall((folder / "README.md").read_text()))
    found = {path.name: path for path in folder.iterdir() if path.suffix in (".js", ".mjs")}
    sums = {name: sha256(path.read_bytes()).hexdigest() for name, path in found.items()}
    assert sums == listed
    assert len(list(folder.glob("LICENSE-*"))) == len(listed)
