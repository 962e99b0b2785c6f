"""``/v1/chat/completions`` as OpenAI defines it."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from sterna.engine import SamplingParams
from tests.server.scripted import MAX_CONTEXT, SPECIAL, ScriptedModel, babbles, ids_of, says

URL = "/v1/chat/completions"
BODY: dict[str, Any] = {"model": "scripted", "messages": [{"role": "user", "content": "Hi"}]}
PROMPT = "User: Hi<|eot_id|>Assistant: "
NUM_PROMPT_TOKENS = 1 + len("User: Hi") + 1 + len("Assistant: ")


def events(response: httpx.Response) -> list[Any]:
    """The JSON of a stream's events; checks that ``[DONE]`` is the last."""
    assert response.headers["content-type"].startswith("text/event-stream")
    *lines, last, rest = response.text.split("\n\n")
    assert (last, rest) == ("data: [DONE]", "")
    return [json.loads(line.removeprefix("data: ")) for line in lines]


async def test_an_answer_in_one_piece(client: httpx.AsyncClient) -> None:
    answer = (await client.post(URL, json=BODY)).json()
    assert answer.pop("id").startswith("chatcmpl-")
    assert isinstance(answer.pop("created"), int)
    assert answer == {
        "object": "chat.completion",
        "model": "scripted",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello there!", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": NUM_PROMPT_TOKENS,
            "completion_tokens": 13,
            "total_tokens": NUM_PROMPT_TOKENS + 13,
            "prompt_tokens_details": {"cached_tokens": 0},
        },
        "system_fingerprint": None,
    }


async def test_a_stream_gives_role_then_text_then_usage(client: httpx.AsyncClient) -> None:
    body = BODY | {"stream": True, "stream_options": {"include_usage": True}}
    chunks = events(await client.post(URL, json=body))
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    first, *middle, last = [chunk["choices"][0] for chunk in chunks[:-1]]
    assert first["delta"] == {"role": "assistant", "content": None}
    assert first["finish_reason"] is None
    assert all(set(choice["delta"]) == {"content"} for choice in [*middle, last])
    assert [choice["finish_reason"] for choice in middle] == [None] * len(middle)
    assert last["finish_reason"] == "stop"
    assert "".join(choice["delta"]["content"] for choice in [*middle, last]) == "Hello there!"
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == 13
    assert all("usage" not in chunk for chunk in chunks[:-1])


async def test_a_stream_has_no_usage_unless_asked(client: httpx.AsyncClient) -> None:
    chunks = events(await client.post(URL, json=BODY | {"stream": True}))
    assert all("usage" not in chunk and chunk["choices"] for chunk in chunks)


async def test_the_limit_ends_an_answer(client: httpx.AsyncClient) -> None:
    for field in ("max_tokens", "max_completion_tokens"):
        answer = (await client.post(URL, json=BODY | {field: 5})).json()
        assert answer["choices"][0]["finish_reason"] == "length"
        assert answer["choices"][0]["message"]["content"] == "Hello"
        assert answer["usage"]["completion_tokens"] == 5


async def test_an_answer_may_fill_the_context(
    client: httpx.AsyncClient, model: ScriptedModel
) -> None:
    model.reply = babbles()
    answer = (await client.post(URL, json=BODY)).json()
    assert answer["usage"]["total_tokens"] == MAX_CONTEXT
    assert answer["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_stop_string_ends_an_answer_and_is_not_in_it(
    client: httpx.AsyncClient, stream: bool
) -> None:
    response = await client.post(URL, json=BODY | {"stop": ["!", "o th"], "stream": stream})
    if stream:
        choices = [chunk["choices"][0] for chunk in events(response)]
        assert "".join(choice["delta"]["content"] or "" for choice in choices) == "Hell"
        assert choices[-1]["finish_reason"] == "stop"
    else:
        assert response.json()["choices"][0]["message"]["content"] == "Hell"
        assert response.json()["usage"]["completion_tokens"] == len("Hello th")


async def test_choices_are_told_apart(client: httpx.AsyncClient, model: ScriptedModel) -> None:
    model.reply = lambda prompt, params: [*ids_of(f"seed {params.seed}"), SPECIAL.end_of_turn]
    answer = (await client.post(URL, json=BODY | {"n": 3, "seed": 4})).json()
    texts = [choice["message"]["content"] for choice in answer["choices"]]
    assert texts == ["seed 4", "seed 5", "seed 6"]
    assert answer["usage"]["prompt_tokens"] == NUM_PROMPT_TOKENS  # once
    assert answer["usage"]["completion_tokens"] == 3 * 7
    chunks = events(await client.post(URL, json=BODY | {"n": 3, "seed": 4, "stream": True}))
    streamed = ["", "", ""]
    for choice in (chunk["choices"][0] for chunk in chunks):
        streamed[choice["index"]] += choice["delta"]["content"] or ""
    assert streamed == texts


@pytest.mark.parametrize("text", ["plain", "naïve 日本 👍🏽!", "👩‍👩‍👧‍👦"])
@pytest.mark.parametrize("stop", [None, "本", "👍"])
async def test_bytes_of_tokens_add_up_to_the_text(
    client: httpx.AsyncClient, model: ScriptedModel, text: str, stop: str | None
) -> None:
    """Also in a stream, where a character's tokens come before its text."""
    model.reply = says(text)
    body = BODY | {"logprobs": True, "stop": stop}
    whole = (await client.post(URL, json=body)).json()["choices"][0]
    choices = [
        c["choices"][0] for c in events(await client.post(URL, json=body | {"stream": True}))
    ]
    pieces = [choice["logprobs"]["content"] for choice in choices if choice["logprobs"]]
    content = [entry for piece in pieces for entry in piece]
    assert content == whole["logprobs"]["content"]
    given = "".join(choice["delta"]["content"] or "" for choice in choices)
    assert given == whole["message"]["content"] == text.partition(stop or "\0")[0]
    written = b"".join(bytes(entry["bytes"]) for entry in content).decode()
    end = stop if stop and stop in text else "<|eot_id|>"  # the token that ended it is listed too
    assert written == given + end
    assert all(entry["logprob"] == -0.5 for entry in content)


async def test_cached_prompt_tokens_are_reported(client: httpx.AsyncClient) -> None:
    await client.post(URL, json=BODY)
    usage = (await client.post(URL, json=BODY)).json()["usage"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == 20  # whole blocks of four


async def test_the_engine_gets_what_the_client_asked_for(
    client: httpx.AsyncClient, model: ScriptedModel
) -> None:
    seen: list[SamplingParams] = []
    prompts: list[list[int]] = []

    def reply(prompt: Any, params: SamplingParams) -> list[int]:
        seen.append(params)
        prompts.append(list(prompt))
        return [SPECIAL.end_of_turn] * 10

    model.reply = reply
    asked = {"temperature": 0.5, "top_p": 0.9, "top_k": 7, "min_p": 0.1, "seed": -3}
    same: dict[str, Any] = {
        "presence_penalty": 0.5,
        "frequency_penalty": -0.5,
        "repetition_penalty": 1.1,
    }
    same |= {"repetition_penalty": 1.1, "min_tokens": 2, "prompt_logprobs": 4, "priority": -6}
    other = {"logit_bias": {"5": 1.5}, "logprobs": True, "top_logprobs": 3, "stop_token_ids": [9]}
    await client.post(URL, json=BODY | asked | same | other | {"max_tokens": 9})
    stops = frozenset({SPECIAL.end_of_text, SPECIAL.end_of_turn, 9})
    params = SamplingParams(9, 0.5, 0.9, 7, 0.1, -3, stop_token_ids=stops)
    assert seen[0] == replace(params, **same, logit_bias={5: 1.5}, num_logprobs=3)
    assert prompts[0] == [
        SPECIAL.begin_of_text,
        *ids_of("User: Hi"),
        SPECIAL.end_of_turn,
        *ids_of("Assistant: "),
    ]


async def test_end_of_sequence_may_be_ignored(
    client: httpx.AsyncClient, model: ScriptedModel
) -> None:
    model.reply = lambda prompt, params: [*ids_of("a"), SPECIAL.end_of_turn, *ids_of("bcd")]
    body = BODY | {"ignore_eos": True, "max_tokens": 4}
    choice = (await client.post(URL, json=body)).json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("abc", "length")


async def test_parts_and_roles(client: httpx.AsyncClient, model: ScriptedModel) -> None:
    model.reply = lambda prompt, params: [*prompt[1:]]
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    messages = [
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": "Yes?", "refusal": None, "tool_calls": None},
        {"role": "user", "content": "Go on."},
    ]
    body = BODY | {"messages": messages, "ignore_eos": True, "max_tokens": 71}
    content = (await client.post(URL, json=body)).json()["choices"][0]["message"]["content"]
    assert content.startswith("System: Be kind.User: one\ntwoAssistant: Yes?User: Go on.Assistant:")


async def test_an_error_after_the_first_byte_ends_the_stream(
    client: httpx.AsyncClient, model: ScriptedModel
) -> None:
    model.reply = lambda prompt, params: [*ids_of("ok"), -1]
    response = await client.post(URL, json=BODY | {"stream": True})
    *_, last, rest = response.text.split("\n\n")
    assert response.status_code == 200
    assert rest == ""
    error = json.loads(last.removeprefix("data: "))["error"]
    assert (error["type"], error["code"]) == ("server_error", "generation_failed")


async def test_a_failed_generation_is_a_500_of_one_request(
    client: httpx.AsyncClient, model: ScriptedModel
) -> None:
    model.reply = lambda prompt, params: [*ids_of("ok"), -1]
    response = await client.post(URL, json=BODY)
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "generation_failed"
    model.reply = says("fine")
    assert (await client.post(URL, json=BODY)).status_code == 200


async def test_a_prompt_over_the_context_is_refused(client: httpx.AsyncClient) -> None:
    long = BODY | {"messages": [{"role": "user", "content": "x" * MAX_CONTEXT}]}
    for body in (long, BODY | {"max_tokens": MAX_CONTEXT}, BODY | {"max_tokens": 10**30}):
        for stream in (False, True):
            response = await client.post(URL, json=body | {"stream": stream})
            assert response.status_code == 400
            assert response.headers["x-should-retry"] == "false"
            assert response.json()["error"]["code"] == "context_length_exceeded"


async def test_an_unknown_model_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.post(URL, json=BODY | {"model": "gpt-4o"})
    assert response.status_code == 404
    assert response.json()["error"] == {
        "message": "The model 'gpt-4o' does not exist. Served here: scripted, alias/of-it.",
        "type": "invalid_request_error",
        "param": "model",
        "code": "model_not_found",
    }
    assert (await client.post(URL, json=BODY | {"model": "alias/of-it"})).status_code == 200
