"""Every refusal has OpenAI's shape, the right status, and names the field."""

import json
from random import Random
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from sterna.server.schemas.body import Body
from sterna.server.schemas.chat_completions import ChatCompletionRequest
from sterna.server.schemas.completions import CompletionRequest
from sterna.server.schemas.tokenize import DetokenizeRequest, TokenizeRequest
from sterna.server.settings import Settings
from tests.server.scripted import MAX_CONTEXT, VOCAB_SIZE, make_settings

CHAT = "/v1/chat/completions"
TEXT = "/v1/completions"
BODY: dict[str, Any] = {"model": "scripted", "messages": [{"role": "user", "content": "Hi"}]}
PROMPT: dict[str, Any] = {"model": "scripted", "prompt": "Hi"}


def error_of(response: httpx.Response) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    (name,) = response.json()
    error: dict[str, Any] = response.json()[name]
    assert name == "error"
    assert set(error) == {"message", "type", "param", "code"}
    assert isinstance(error["message"], str)
    return error


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": "1"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"top_p": 1.01}, "top_p"),
        ({"top_k": -2}, "top_k"),
        ({"top_k": 2**31}, "top_k"),
        ({"min_p": 1.5}, "min_p"),
        ({"seed": 2**63}, "seed"),
        ({"seed": 0.5}, "seed"),
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"n": 13}, "n"),  # more than the queue can ever hold
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"stop": ""}, "stop[0]"),
        ({"stop": 5}, "stop"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": {"other": 1}}, "stream_options.other"),
        ({"store": 1}, "store"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
        ({"max_tokens": -2}, "max_tokens"),
        ({"max_tokens": 4.5}, "max_tokens"),
        ({"max_tokens": "4"}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"reasoning_effort": 1}, "reasoning_effort"),
        ({"moderation": {"model": "m"}}, "moderation"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "critic", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": "\ud800"}]}, "messages[0].content[0].text"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages[0].content[0].type",
        ),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"frequency_penalty": 2.1}, "frequency_penalty"),
        ({"presence_penalty": -2.1}, "presence_penalty"),
        ({"repetition_penalty": 0}, "repetition_penalty"),
        ({"repeat_penalty": 1.1}, "repeat_penalty"),  # llama-server's looks at a window only
        ({"presence_penalty": False}, "presence_penalty"),
        ({"logprobs": 0}, "logprobs"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"logprobs": False, "top_logprobs": 2}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"logit_bias": {"1": 101}}, "logit_bias[1]"),
        ({"logit_bias": {"1": float("nan")}}, "logit_bias[1]"),
        ({"logit_bias": {"one": 1}}, "logit_bias"),
        ({"logit_bias": {"-1": 1}}, "logit_bias"),
        ({"logit_bias": {"1": 1, "01": 2}}, "logit_bias"),
        ({"logit_bias": {str(VOCAB_SIZE): 1}}, "logit_bias"),
        ({"stop_token_ids": [VOCAB_SIZE]}, "stop_token_ids"),
        ({"stop_token_ids": [-1]}, "stop_token_ids"),
        ({"min_tokens": -1}, "min_tokens"),
        ({"min_tokens": 5, "max_tokens": 4}, "min_tokens"),
        ({"min_tokens": MAX_CONTEXT}, "min_tokens"),
        ({"prompt_logprobs": 21}, "prompt_logprobs"),
        ({"prompt_logprobs": -1}, "prompt_logprobs"),
        ({"prompt_logprobs": 1, "stream": True}, "prompt_logprobs"),
        ({"stream_options": {"continuous_usage_stats": True}}, "stream_options"),
        ({"priority": 0.5}, "priority"),
        ({"priority": 2**31}, "priority"),
        ({"echo": True}, "echo"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"no_such_field": 1}, "no_such_field"),
    ],
)
async def test_a_field_that_cannot_be_honoured_is_named(
    client: httpx.AsyncClient, fields: dict[str, Any], param: str
) -> None:
    headers = {"content-type": "application/json"}
    response = await client.post(CHAT, content=json.dumps(BODY | fields), headers=headers)
    assert response.status_code == 400
    error = error_of(response)
    assert (error["type"], error["param"]) == ("invalid_request_error", param)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [[]]}, "prompt"),
        ({"prompt": [1, "x"]}, "prompt"),
        ({"prompt": [True]}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": "\ud800"}, "prompt"),
        ({"prompt": ["x"] * 13}, "n"),
        ({"echo": 1}, "echo"),
        ({"logprobs": 21}, "logprobs"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 1}, "top_logprobs"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 0, "logprobs": 1}, "max_tokens"),
        ({"max_tokens": -2, "echo": True}, "max_tokens"),
        ({"prompt": [1.5]}, "prompt"),
        ({"min_tokens": 17}, "min_tokens"),
        ({"best_of": 2}, "best_of"),
        ({"suffix": "x"}, "suffix"),
    ],
)
async def test_a_field_of_a_completion_is_named(
    client: httpx.AsyncClient, fields: dict[str, Any], param: str
) -> None:
    headers = {"content-type": "application/json"}
    response = await client.post(TEXT, content=json.dumps(PROMPT | fields), headers=headers)
    assert response.status_code == 400
    assert error_of(response)["param"] == param


@pytest.mark.parametrize(
    "fields",
    [
        {"user": "u", "metadata": {"a": "b"}, "store": False, "service_tier": "auto"},
        {"frequency_penalty": 0, "presence_penalty": 0.0, "logit_bias": {}, "logprobs": False},
        {"frequency_penalty": None, "tools": None, "tool_choice": None, "response_format": None},
        {"tools": [], "tool_choice": "none", "response_format": {"type": "text"}},
        {"temperature": None, "n": None, "stop": None, "stream": None, "seed": None},
        {"stop": [], "top_k": -1, "temperature": 0, "seed": -(2**63)},
    ],
)
async def test_what_changes_nothing_is_accepted(
    client: httpx.AsyncClient, fields: dict[str, Any]
) -> None:
    response = await client.post(CHAT, json=BODY | fields)
    assert response.status_code == 200, response.text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"\\ud800": 1}',
        b"[" * 100_000,
        b'{"seed": ' + b"9" * 9999 + b"}",
    ],
)
async def test_a_body_that_is_no_request(client: httpx.AsyncClient, content: bytes) -> None:
    headers = {"content-type": "application/json"}
    response = await client.post(CHAT, content=content, headers=headers)
    assert response.status_code == 400
    error = error_of(response)
    assert error["type"] == "invalid_request_error"
    assert "parsing" not in error["message"]  # which would say nothing of what is wrong


@pytest.mark.parametrize(
    ("method", "url", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", CHAT, 405),
        ("POST", "/v1/models", 405),
        ("PUT", "/no", 404),
    ],
)
async def test_urls_that_are_not_served(
    client: httpx.AsyncClient, method: str, url: str, status: int
) -> None:
    response = await client.request(method, url)
    assert response.status_code == status
    assert error_of(response)["type"] == "invalid_request_error"
    assert ("allow" in response.headers) == (status == 405)


async def test_what_nobody_foresaw_is_a_500_without_details(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    @app.get("/boom")
    async def boom() -> None:
        raise ZeroDivisionError("secret")

    response = await client.get("/boom")
    assert response.status_code == 500
    error = error_of(response)
    assert (error["type"], error["code"]) == ("server_error", "internal_error")
    assert "secret" not in response.text


VALUES: list[Any] = [
    None, True, False, -1, 0, 1, 0.5, 2**70, 1e308, float("nan"), float("-inf"), "", "x", "\ud800",
    "\x00", [], [None], [[]], ["x"], [1], {}, {"type": "text"}, {"role": "user", "content": "x"},
]  # fmt: skip
SHORT = {"max_tokens": 3}


@pytest.mark.parametrize(
    ("url", "schema", "body"),
    [
        (CHAT, ChatCompletionRequest, BODY | SHORT),
        (TEXT, CompletionRequest, PROMPT | SHORT),
        ("/tokenize", TokenizeRequest, {"prompt": "Hi"}),
        ("/detokenize", DetokenizeRequest, {"tokens": [1]}),
    ],
)
async def test_no_body_is_an_error_of_the_server(
    client: httpx.AsyncClient, url: str, schema: type[Body], body: dict[str, Any]
) -> None:
    random = Random(1)
    headers = {"content-type": "application/json"}
    names = sorted({*schema.model_fields, *schema.neutral, "other"})
    for _ in range(300):
        fields = {random.choice(names): random.choice(VALUES) for _ in range(random.choice([1, 3]))}
        content = json.dumps(body | fields)
        response = await client.post(url, content=content, headers=headers)
        assert response.status_code < 500, content
        if response.status_code != 200:
            error_of(response)


class TestSmallLimit:
    @pytest.fixture
    def settings(self, folder: Any) -> Settings:
        return make_settings(folder, max_body_bytes=2000)

    async def test_a_body_over_the_limit_is_refused(self, client: httpx.AsyncClient) -> None:
        response = await client.post(TEXT, json=PROMPT | {"prompt": "x" * 2000})
        assert response.status_code == 413
        assert error_of(response)["type"] == "invalid_request_error"

    async def test_also_when_it_does_not_say_its_length(self, client: httpx.AsyncClient) -> None:
        async def chunks() -> Any:
            for _ in range(30):
                yield b" " * 100

        headers = {"content-type": "application/json"}
        response = await client.post(TEXT, content=chunks(), headers=headers)
        assert response.status_code == 413
        assert error_of(response)["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "body",
    [
        {"model": "x" * 100_000},
        {"model": "scripted", "x" * 100_000: 1},
        {"model": "scripted", "x\ny" * 10_000: 1},
        {"model": "scripted", "tool_choice": "\n" * 1000 + "x" * 100_000},
    ],
)
async def test_what_an_error_echoes_is_cut_to_a_line(
    client: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    response = await client.post("/v1/completions", json={"prompt": "Once"} | body)
    assert response.status_code in (400, 404)
    error = response.json()["error"]
    assert len(response.content) < 1500
    assert "\n" not in error["message"]
