"""Streams: framing, order, and the same text as in one piece."""

import json

import httpx
import openai

from tests.conformance.conftest import Json, Supports

MESSAGES: list[Json] = [{"role": "user", "content": "Tell me a story about a dog."}]


def events(http: httpx.Client, url: str, body: Json) -> list[Json]:
    """The chunks of a stream that ends as it should."""
    response = http.post(url, json=body | {"stream": True}).raise_for_status()
    assert response.headers["content-type"].startswith("text/event-stream")
    lines = [line for line in response.text.splitlines() if line and line[0] != ":"]
    assert all(line.startswith("data: ") for line in lines)
    *chunks, last = [line.removeprefix("data: ") for line in lines]
    assert last == "[DONE]"
    return [json.loads(chunk) for chunk in chunks]


def chat_body(model: str, **fields: object) -> Json:
    return {"model": model, "messages": MESSAGES, "max_tokens": 20, "temperature": 0} | fields


def test_chunks_come_in_order(http: httpx.Client, model: str) -> None:
    chunks = events(http, "chat/completions", chat_body(model))
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert choices[0]["delta"]["role"] == "assistant"
    assert [choice["finish_reason"] is not None for choice in choices].count(True) == 1
    assert choices[-1]["finish_reason"] in ("stop", "length")


def test_a_stream_says_what_the_whole_says(http: httpx.Client, model: str) -> None:
    whole = http.post("chat/completions", json=chat_body(model)).json()
    chunks = events(http, "chat/completions", chat_body(model))
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    text = "".join(delta.get("content") or "" for delta in deltas)
    assert text == whole["choices"][0]["message"]["content"]


def test_a_completion_streams_too(http: httpx.Client, model: str) -> None:
    body = {"model": model, "prompt": "Once upon a time", "max_tokens": 20, "temperature": 0}
    whole = http.post("completions", json=body).json()["choices"][0]["text"]
    chunks = events(http, "completions", body)
    assert "".join(c["text"] for chunk in chunks for c in chunk["choices"]) == whole


def test_usage_is_the_last_chunk_if_asked_for(
    http: httpx.Client, model: str, needs: Supports
) -> None:
    needs(stream=True, stream_options={"include_usage": True})
    body = chat_body(model, stream_options={"include_usage": True})
    *chunks, last = events(http, "chat/completions", body)
    assert last["choices"] == []
    assert 0 < last["usage"]["completion_tokens"] <= 20
    assert not any(chunk.get("usage") for chunk in chunks)


def test_without_asking_there_is_no_chunk_without_choices(http: httpx.Client, model: str) -> None:
    assert all(chunk["choices"] for chunk in events(http, "chat/completions", chat_body(model)))


def test_every_answer_of_a_stream_has_its_index(
    http: httpx.Client, model: str, needs: Supports
) -> None:
    needs(n=2)
    chunks = events(http, "chat/completions", chat_body(model, n=2, temperature=1))
    ends = [c["index"] for chunk in chunks for c in chunk["choices"] if c["finish_reason"]]
    assert sorted(ends) == [0, 1]


def test_the_openai_client_reads_a_stream(client: openai.OpenAI, model: str) -> None:
    stream = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "Hi"}], max_tokens=5, stream=True
    )
    assert [chunk for chunk in stream if chunk.choices and chunk.choices[0].finish_reason]


def test_a_stream_may_be_left(http: httpx.Client, model: str) -> None:
    body = chat_body(model, stream=True, max_tokens=200)
    with http.stream("POST", "chat/completions", json=body) as response:
        next(response.iter_lines())
    after = http.post("chat/completions", json=chat_body(model, max_tokens=1))
    assert after.status_code == 200
