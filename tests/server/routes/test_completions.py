"""``/v1/completions`` as OpenAI defines it."""

from typing import Any

import httpx
import pytest

from tests.server.routes.test_chat_completions import events
from tests.server.scripted import MAX_CONTEXT, SPECIAL, VOCAB_SIZE, ScriptedModel, babbles, ids_of

URL = "/v1/completions"
BODY: dict[str, Any] = {"model": "scripted", "prompt": "Once"}


async def test_an_answer_in_one_piece(client: httpx.AsyncClient) -> None:
    answer = (await client.post(URL, json=BODY)).json()
    assert answer.pop("id").startswith("cmpl-")
    assert isinstance(answer.pop("created"), int)
    assert answer == {
        "object": "text_completion",
        "model": "scripted",
        "choices": [
            {"index": 0, "text": "Hello there!", "logprobs": None, "finish_reason": "stop"}
        ],
        "usage": {
            "prompt_tokens": 5,  # with the token that begins a text
            "completion_tokens": 13,
            "total_tokens": 18,
            "prompt_tokens_details": {"cached_tokens": 0},
        },
        "system_fingerprint": None,
    }


async def test_a_stream(client: httpx.AsyncClient) -> None:
    body = BODY | {"stream": True, "stream_options": {"include_usage": True}}
    chunks = events(await client.post(URL, json=body))
    choices = [chunk["choices"][0] for chunk in chunks[:-1]]
    assert "".join(choice["text"] for choice in choices) == "Hello there!"
    assert [choice["finish_reason"] for choice in choices[:-1]] == [None] * (len(choices) - 1)
    assert choices[-1]["finish_reason"] == "stop"
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["total_tokens"] == 18


async def test_sixteen_tokens_unless_asked_otherwise(
    client: httpx.AsyncClient, model: ScriptedModel
) -> None:
    model.reply = babbles()
    answer = (await client.post(URL, json=BODY)).json()
    assert answer["usage"]["completion_tokens"] == 16
    nearly_full = BODY | {"prompt": "x" * (MAX_CONTEXT - 4)}
    answer = (await client.post(URL, json=nearly_full)).json()
    assert answer["usage"]["completion_tokens"] == 3  # what is left


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ("ab", ["ab"]),
        (["ab", "c"], ["ab", "c"]),
        (ids_of("ab"), ["ab"]),
        ([ids_of("ab"), ids_of("c")], ["ab", "c"]),
    ],
)
async def test_all_forms_of_prompts(
    client: httpx.AsyncClient, model: ScriptedModel, prompt: object, texts: list[str]
) -> None:
    model.reply = lambda prompt, params: [*prompt, SPECIAL.end_of_text]
    answer = (await client.post(URL, json=BODY | {"prompt": prompt, "n": 2})).json()
    assert [c["index"] for c in answer["choices"]] == list(range(2 * len(texts)))
    assert [c["text"] for c in answer["choices"]] == [text for text in texts for _ in range(2)]


async def test_several_prompts_count_each_once(client: httpx.AsyncClient) -> None:
    body = BODY | {"prompt": ["ab", "abcd"], "n": 3}
    usage = (await client.post(URL, json=body)).json()["usage"]
    assert usage["prompt_tokens"] == 3 + 5
    assert usage["completion_tokens"] == 6 * 13


@pytest.mark.parametrize("token_id", [-1, VOCAB_SIZE, 2**80])
async def test_a_token_id_outside_the_vocabulary_is_refused(
    client: httpx.AsyncClient, token_id: int
) -> None:
    response = await client.post(URL, json=BODY | {"prompt": [1, token_id]})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "prompt"
