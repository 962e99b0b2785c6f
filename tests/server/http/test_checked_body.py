"""A large body is checked on a thread, beside the streams of others; a small one at once."""

import threading

import httpx
import pytest

from sterna.server.http.checked_body import LARGE_BYTES
from sterna.server.schemas import completions

SMALL, LARGE = "x", "x" * LARGE_BYTES


@pytest.fixture
def checking(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each check of a text happened on the thread of the event loop."""
    seen: list[bool] = []
    loop_thread = threading.get_ident()

    def note(text: object) -> bool:
        seen.append(threading.get_ident() == loop_thread)
        return True

    monkeypatch.setattr(completions, "is_unicode", note)
    return seen


@pytest.mark.parametrize(("text", "is_on_loop"), [(SMALL, True), (LARGE, False)])
async def test_where_a_body_is_checked(
    client: httpx.AsyncClient, checking: list[bool], text: str, is_on_loop: bool
) -> None:
    body = {"model": "scripted", "prompt": text, "max_tokens": 1}
    await client.post("/v1/completions", json=body)
    assert set(checking) == {is_on_loop}


@pytest.mark.parametrize("text", [SMALL, LARGE])
@pytest.mark.parametrize(
    ("url", "body", "param"),
    [
        ("/v1/completions", {"prompt": "a", "n": 0}, "n"),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": 1}]}, None),
        ("/tokenize", {"prompt": "a", "add_special": 1}, "add_special"),
        ("/detokenize", {"tokens": ["a"]}, "tokens[0]"),
    ],
)
async def test_an_error_names_the_field_wherever_it_is_found(
    client: httpx.AsyncClient, url: str, body: dict[str, object], param: str | None, text: str
) -> None:
    body = {"model": text} | body
    response = await client.post(url, json=body)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == (param or "messages[0].content")


@pytest.mark.parametrize("content", [b"", b"[]", b"1", b'"x"', b"null"])
async def test_a_body_that_is_no_object(client: httpx.AsyncClient, content: bytes) -> None:
    headers = {"content-type": "application/json"}
    response = await client.post("/v1/completions", content=content, headers=headers)
    assert response.status_code == 400
    assert "must be a JSON object" in response.json()["error"]["message"]
