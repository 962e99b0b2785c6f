"""A text that cannot fit the context is refused before anybody works on it."""

from typing import Any

import httpx
import pytest

from sterna.server.text.tokenizer import Tokenizer
from tests.server.scripted import MAX_CONTEXT, tokenizer

LONGEST = max(len(name.encode()) for name in tokenizer().get_vocab())
HUGE = "x" * (MAX_CONTEXT + 1) * LONGEST
MESSAGES = {"messages": [{"role": "user", "content": HUGE}]}


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("/v1/completions", {"prompt": ["a", HUGE]}),
        ("/v1/chat/completions", MESSAGES),
        ("/v1/messages", MESSAGES | {"max_tokens": 1}),
    ],
)
async def test_what_cannot_fit_is_not_encoded(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, url: str, body: dict[str, Any]
) -> None:
    encoded: list[str] = []
    monkeypatch.setattr(Tokenizer, "encode", lambda self, text, **options: encoded.append(text))
    response = await client.post(url, json={"model": "scripted"} | body)
    assert response.status_code == 400
    assert response.headers["x-should-retry"] == "false"
    assert f"context length is {MAX_CONTEXT} tokens" in response.json()["error"]["message"]
    assert encoded in ([], ["a"])


async def test_counting_tells_how_much_it_is(client: httpx.AsyncClient) -> None:
    url = "/v1/messages/count_tokens"
    response = await client.post(url, json={"model": "scripted"} | MESSAGES)
    assert response.json()["input_tokens"] > len(HUGE)
