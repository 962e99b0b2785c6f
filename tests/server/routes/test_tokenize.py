"""``/tokenize`` and ``/detokenize``, with the fields of vLLM and of llama-server."""

from typing import Any

import httpx
import pytest

from sterna.server.settings import Settings
from tests.server.scripted import MAX_CONTEXT, SPECIAL, VOCAB_SIZE, ids_of, make_settings
from tests.server.test_errors import error_of

MESSAGES = [{"role": "user", "content": "Hi"}]


async def tokens(client: httpx.AsyncClient, **body: Any) -> list[int]:
    response = await client.post("/tokenize", json=body)
    assert response.status_code == 200, response.text
    ids: list[int] = response.json()["tokens"]
    return ids


async def test_a_text(client: httpx.AsyncClient) -> None:
    body = {"model": "alias/of-it", "prompt": "né", "return_token_strs": True}
    assert (await client.post("/tokenize", json=body)).json() == {
        "count": 4,
        "max_model_len": MAX_CONTEXT,
        "tokens": [SPECIAL.begin_of_text, *ids_of("né")],
        "token_strs": ["<|begin_of_text|>", "n", "Ã", "©"],
    }


async def test_special_tokens_are_added_as_the_field_s_own_server_does(
    client: httpx.AsyncClient,
) -> None:
    bare, begun = ids_of("ab"), [SPECIAL.begin_of_text, *ids_of("ab")]
    assert await tokens(client, prompt="ab") == begun
    assert await tokens(client, prompt="ab", add_special_tokens=False) == bare
    assert await tokens(client, content="ab") == bare
    assert await tokens(client, content="ab", add_special=True) == begun
    assert await tokens(client, prompt="") == begun[:1]
    assert await tokens(client, content="") == []


async def test_a_conversation_has_the_tokens_of_a_chat_completion(
    client: httpx.AsyncClient,
) -> None:
    body = {"model": "scripted", "messages": MESSAGES, "return_token_ids": True}
    answer = (await client.post("/v1/chat/completions", json=body)).json()
    assert await tokens(client, messages=MESSAGES) == answer["prompt_token_ids"]


async def test_a_conversation_may_end_before_the_answer(client: httpx.AsyncClient) -> None:
    ids = await tokens(client, messages=MESSAGES, add_generation_prompt=False)
    assert ids == [SPECIAL.begin_of_text, *ids_of("User: Hi"), SPECIAL.end_of_turn]


@pytest.mark.parametrize("text", ["", "plain", "naïve 日本語 👩‍👩‍👧‍👦", "x" * 9 * MAX_CONTEXT])
async def test_back_and_forth(client: httpx.AsyncClient, text: str) -> None:
    """Also more than the context: how much it is must be told."""
    ids = await tokens(client, content=text)
    answer = (await client.post("/detokenize", json={"tokens": ids})).json()
    assert answer == {"prompt": text}


async def test_special_tokens_are_shown(client: httpx.AsyncClient) -> None:
    body = {"model": "scripted", "tokens": [SPECIAL.begin_of_text, *ids_of("a")]}
    assert (await client.post("/detokenize", json=body)).json()["prompt"] == "<|begin_of_text|>a"


@pytest.mark.parametrize(
    ("url", "body", "param"),
    [
        ("/tokenize", {}, "prompt"),
        ("/tokenize", {"prompt": "a", "content": "a"}, "prompt"),
        ("/tokenize", {"prompt": "a", "messages": MESSAGES}, "prompt"),
        ("/tokenize", {"prompt": ["a"]}, "prompt"),
        ("/tokenize", {"prompt": "a", "add_special_tokens": 1}, "add_special_tokens"),
        ("/tokenize", {"messages": []}, "messages"),
        ("/tokenize", {"messages": MESSAGES, "add_special": True}, "add_special_tokens"),
        ("/tokenize", {"prompt": "a", "add_generation_prompt": False}, "add_generation_prompt"),
        ("/tokenize", {"prompt": "a", "with_pieces": True}, "with_pieces"),
        ("/tokenize", {"prompt": "a", "other": 1}, "other"),
        ("/detokenize", {}, "tokens"),
        ("/detokenize", {"tokens": ["1"]}, "tokens[0]"),
        ("/detokenize", {"tokens": [-1]}, "tokens"),
        ("/detokenize", {"tokens": [1, VOCAB_SIZE]}, "tokens"),
        ("/detokenize", {"tokens": [2**80]}, "tokens"),
    ],
)
async def test_what_is_refused(
    client: httpx.AsyncClient, url: str, body: dict[str, Any], param: str
) -> None:
    response = await client.post(url, json=body)
    assert response.status_code == 400
    assert error_of(response)["param"] == param


@pytest.mark.parametrize("url", ["/tokenize", "/detokenize"])
async def test_a_model_that_is_not_served(client: httpx.AsyncClient, url: str) -> None:
    body: dict[str, Any] = {"prompt": "a"} if url == "/tokenize" else {"tokens": []}
    response = await client.post(url, json={"model": "other"} | body)
    assert response.status_code == 404
    assert error_of(response)["code"] == "model_not_found"


class TestSmallLimit:
    @pytest.fixture
    def settings(self, folder: Any) -> Settings:
        return make_settings(folder, max_body_bytes=2000)

    async def test_a_body_over_the_limit_is_refused(self, client: httpx.AsyncClient) -> None:
        assert (await client.post("/tokenize", json={"prompt": "x" * 2000})).status_code == 413
        assert (await client.post("/detokenize", json={"tokens": [1] * 2000})).status_code == 413
