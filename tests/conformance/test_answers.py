"""Whole answers: shapes, counts, and what ends them."""

import httpx
import openai

from tests.conformance.conftest import Json, Supports

PROMPT = "Once upon a time there was a little dog"


def chat(http: httpx.Client, model: str, **fields: object) -> Json:
    messages = [{"role": "user", "content": "Tell me a story about a dog."}]
    body = {"model": model, "messages": messages, "max_tokens": 20, "temperature": 0} | fields
    answer: Json = http.post("chat/completions", json=body).raise_for_status().json()
    return answer


def complete(http: httpx.Client, model: str, **fields: object) -> Json:
    body = {"model": model, "prompt": PROMPT, "max_tokens": 20, "temperature": 0} | fields
    answer: Json = http.post("completions", json=body).raise_for_status().json()
    return answer


def test_a_chat_answer(http: httpx.Client, model: str) -> None:
    answer = chat(http, model)
    assert answer["object"] == "chat.completion"
    assert answer["id"]
    assert answer["created"] > 1_600_000_000
    (choice,) = answer["choices"]
    assert choice["index"] == 0
    assert choice["message"]["role"] == "assistant"
    assert isinstance(choice["message"]["content"], str)
    assert choice["finish_reason"] in ("stop", "length")


def test_a_completion(http: httpx.Client, model: str) -> None:
    answer = complete(http, model)
    assert answer["object"] == "text_completion"
    (choice,) = answer["choices"]
    assert choice["text"]
    assert choice["finish_reason"] in ("stop", "length")


def test_the_openai_client_finds_every_shape_right(client: openai.OpenAI, model: str) -> None:
    answer = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "Hi"}], max_tokens=5
    )
    assert answer.usage and answer.choices[0].message.role == "assistant"
    text = client.completions.create(model=model, prompt=PROMPT, max_tokens=5)
    assert text.usage and text.choices[0].text is not None


def test_usage_adds_up(http: httpx.Client, model: str) -> None:
    for answer in (chat(http, model, max_tokens=7), complete(http, model, max_tokens=7)):
        usage = answer["usage"]
        assert usage["prompt_tokens"] > 0
        assert 0 < usage["completion_tokens"] <= 7
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_max_tokens_is_a_length(http: httpx.Client, model: str) -> None:
    answer = complete(http, model, max_tokens=3)
    assert answer["usage"]["completion_tokens"] <= 3
    assert answer["choices"][0]["finish_reason"] == "length"


def test_a_stop_string_is_no_part_of_the_text(http: httpx.Client, model: str) -> None:
    text = complete(http, model)["choices"][0]["text"]
    stop = text[len(text) // 2 :][:4]
    cut = complete(http, model, stop=[stop])["choices"][0]
    assert cut["text"] == text[: text.index(stop)]
    assert cut["finish_reason"] == "stop"


def test_a_temperature_of_zero_says_the_same_twice(http: httpx.Client, model: str) -> None:
    assert complete(http, model)["choices"] == complete(http, model)["choices"]


def test_a_seed_says_the_same_twice(http: httpx.Client, model: str, needs: Supports) -> None:
    needs(seed=5)
    first, again, other = (
        complete(http, model, temperature=1, seed=seed)["choices"][0]["text"] for seed in (5, 5, 6)
    )
    assert first == again != other


def test_n_answers(http: httpx.Client, model: str, needs: Supports) -> None:
    needs(n=2)
    answer = chat(http, model, n=2, temperature=1)
    assert sorted(choice["index"] for choice in answer["choices"]) == [0, 1]


def test_logprobs(http: httpx.Client, model: str, needs: Supports) -> None:
    needs(logprobs=True, top_logprobs=2)
    content = chat(http, model, logprobs=True, top_logprobs=2)["choices"][0]["logprobs"]["content"]
    assert content
    for token in content:
        assert token["logprob"] <= 0
        assert len(token["top_logprobs"]) == 2


def test_parts_of_a_message_are_one_text(http: httpx.Client, model: str) -> None:
    parts = [{"type": "text", "text": "Tell me "}, {"type": "text", "text": "a story."}]
    whole = chat(http, model, messages=[{"role": "user", "content": "Tell me a story."}])
    split = chat(http, model, messages=[{"role": "user", "content": parts}])
    assert whole["choices"][0]["message"]["content"]
    assert split["object"] == "chat.completion"
