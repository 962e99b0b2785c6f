"""``/v1/messages`` as Anthropic defines it."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from sterna.server.settings import Settings
from tests.server.scripted import (
    MAX_CONTEXT,
    SPECIAL,
    ScriptedModel,
    babbles,
    ids_of,
    make_settings,
)

URL = "/v1/messages"
TURN: dict[str, Any] = {"role": "user", "content": "Hi"}
BODY: dict[str, Any] = {"model": "scripted", "max_tokens": 20, "messages": [TURN]}
NUM_PROMPT_TOKENS = 1 + len("User: Hi") + 1 + len("Assistant: ")


def events(response: httpx.Response) -> list[Any]:
    """The JSON of a stream's events; checks that each has its type as its name."""
    assert response.headers["content-type"].startswith("text/event-stream")
    found = []
    for lines in response.text.removesuffix("\n\n").split("\n\n"):
        name, data = lines.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


async def test_a_message_in_one_piece(client: httpx.AsyncClient) -> None:
    answer = (await client.post(URL, json=BODY)).json()
    assert answer.pop("id").startswith("msg_")
    assert answer == {
        "type": "message",
        "role": "assistant",
        "model": "scripted",
        "content": [{"type": "text", "text": "Hello there!"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": NUM_PROMPT_TOKENS,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 13,
        },
    }


async def test_cached_tokens_are_not_counted_twice(client: httpx.AsyncClient) -> None:
    await client.post(URL, json=BODY)
    usage = (await client.post(URL, json=BODY)).json()["usage"]
    assert usage["cache_read_input_tokens"] == 20  # whole blocks of four
    assert usage["input_tokens"] == NUM_PROMPT_TOKENS - 20


async def test_a_stream_of_events(client: httpx.AsyncClient) -> None:
    first, *middle, last = events(await client.post(URL, json=BODY | {"stream": True}))
    assert first["type"] == "message_start"
    assert first["message"]["content"] == []
    assert first["message"]["stop_reason"] is None
    assert first["message"]["usage"]["input_tokens"] == NUM_PROMPT_TOKENS
    assert middle[0] == {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "text", "text": ""},
    }
    *gains, stop, end = middle[1:]
    assert {gain["type"] for gain in gains} == {"content_block_delta"}
    assert {(gain["index"], gain["delta"]["type"]) for gain in gains} == {(0, "text_delta")}
    assert "".join(gain["delta"]["text"] for gain in gains) == "Hello there!"
    assert stop == {"type": "content_block_stop", "index": 0}
    assert end["type"] == "message_delta"
    assert end["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert end["usage"]["output_tokens"] == 13
    assert last == {"type": "message_stop"}


@pytest.mark.parametrize("stream", [False, True])
async def test_the_stop_sequence_that_ended_the_text_is_named(
    client: httpx.AsyncClient, stream: bool
) -> None:
    body = BODY | {"stop_sequences": ["!", "o th"], "stream": stream}
    response = await client.post(URL, json=body)
    end = events(response)[-2]["delta"] if stream else response.json()
    assert (end["stop_reason"], end["stop_sequence"]) == ("stop_sequence", "o th")
    if not stream:
        assert end["content"] == [{"type": "text", "text": "Hell"}]


async def test_the_limit_ends_a_message(client: httpx.AsyncClient, model: ScriptedModel) -> None:
    model.reply = babbles()
    answer = (await client.post(URL, json=BODY | {"max_tokens": 3})).json()
    assert (answer["stop_reason"], answer["usage"]["output_tokens"]) == ("max_tokens", 3)


async def test_a_message_may_be_empty(client: httpx.AsyncClient, model: ScriptedModel) -> None:
    model.reply = lambda prompt, params: [SPECIAL.end_of_turn]
    assert (await client.post(URL, json=BODY)).json()["content"] == []
    types = [e["type"] for e in events(await client.post(URL, json=BODY | {"stream": True}))]
    assert types == ["message_start", "message_delta", "message_stop"]


async def test_the_model_reads_system_blocks_and_turns(
    client: httpx.AsyncClient, model: ScriptedModel
) -> None:
    prompts: list[list[int]] = []

    def reply(prompt: Any, params: Any) -> list[int]:
        prompts.append(list(prompt))
        assert (params.temperature, params.top_p, params.top_k) == (0.5, 0.9, 7)
        return [SPECIAL.end_of_turn] * 10

    model.reply = reply
    marked = {"cache_control": {"type": "ephemeral"}}
    body = BODY | {
        "system": [{"type": "text", "text": "Be", **marked}, {"type": "text", "text": "kind."}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "one", "citations": None}]},
            {"role": "assistant", "content": "two"},
            {"role": "system", "content": "Still."},
            {"role": "user", "content": "three"},
        ],
        "temperature": 0.5, "top_p": 0.9, "top_k": 7,
        "metadata": {"user_id": "u"}, "thinking": {"type": "disabled"}, "tools": [],
    }  # fmt: skip
    response = await client.post(URL, json=body)
    assert response.status_code == 200, response.text
    turns = ["System: Be\nkind.", "User: one", "Assistant: two", "System: Still.", "User: three"]
    ids = [SPECIAL.begin_of_text]
    for turn in turns:
        ids += [*ids_of(turn), SPECIAL.end_of_turn]
    assert prompts == [[*ids, *ids_of("Assistant: ")]]
    fields = ("model", "system", "messages", "tools", "thinking")
    count = await client.post(f"{URL}/count_tokens", json={name: body[name] for name in fields})
    assert count.json() == {"input_tokens": len(prompts[0])}


def wrong(error: httpx.Response, status: int = 400, kind: str = "invalid_request_error") -> str:
    """The message of an error; checks its shape."""
    assert error.status_code == status
    body = error.json()
    assert set(body) == {"type", "error", "request_id"}
    assert (body["type"], body["request_id"]) == ("error", error.headers["x-request-id"])
    assert set(body["error"]) == {"type", "message"}
    assert body["error"]["type"] == kind
    return str(body["error"]["message"])


IMAGE = {"type": "image", "source": {"type": "url", "url": "http://x/y.png"}}
USE = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
HALF = {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": ["\ud800"]}}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "r"}
TOOL = {"name": "f", "input_schema": {"type": "object"}}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": 1.5}, "temperature"),
        ({"no_such_field": 1}, "no_such_field"),
        ({"compaction": {"type": "summarize"}}, "compaction"),
        ({"inference_geo": "eu"}, "inference_geo"),
        ({"output_config": {"form": {}}}, "output_config.form"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"not": {}}}}},
            "output_config.format.schema",
        ),
        (
            {
                "max_tokens": 1,
                "tools": [{"name": "f", "input_schema": {"not": {}}, "strict": True}],
            },
            "tools[0].input_schema",
        ),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, "'image'"),
        ({"messages": [TURN, {"role": "assistant", "content": "I"}]}, "messages: the last message"),
        ({"messages": [{"role": "user", "content": [USE]}]}, "messages[0]"),
        ({"messages": [{"role": "user", "content": [RESULT]}]}, "messages[0] must have"),
        ({"messages": [{"role": "assistant", "content": [HALF]}]}, "lone surrogates"),
        (
            {
                "messages": [
                    {"role": "assistant", "content": [USE, USE | {"id": "t2"}]},
                    {"role": "user", "content": [RESULT]},
                ]
            },
            "messages[1] must",
        ),
        ({"messages": [{"role": "user", "content": [THOUGHT]}]}, "messages[0]"),
        (
            {
                "messages": [
                    {"role": "assistant", "content": [USE, USE]},
                    {"role": "user", "content": [RESULT, RESULT]},
                ]
            },
            "messages[0] has two tool_use",
        ),
        (
            {
                "messages": [
                    {"role": "assistant", "content": [USE]},
                    {"role": "user", "content": [{"type": "text", "text": "x"}, RESULT]},
                ]
            },
            "tool_result blocks must come before text",
        ),
        ({"tools": [{"name": "f"}]}, "tools[0].input_schema"),
        ({"tools": [{"name": "f g", "input_schema": {}}]}, "tools[0].name"),
        ({"tools": [{"name": "f", "input_schema": {"type": "array"}}]}, "tools[0].input_schema"),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, "tools[0].type"),
        ({"tools": [TOOL, TOOL]}, "two tools have the name 'f'"),
        ({"tools": [TOOL] * 129}, "tools"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "g"}}, "'g'"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool"}}, "tool_choice"),
    ],
)
async def test_what_cannot_be_honoured_is_named(
    client: httpx.AsyncClient, fields: dict[str, Any], named: str
) -> None:
    headers = {"content-type": "application/json"}
    response = await client.post(URL, content=json.dumps(BODY | fields), headers=headers)
    assert named in wrong(response)


async def test_errors_have_the_shape_and_types_of_anthropic(client: httpx.AsyncClient) -> None:
    message = wrong(await client.post(URL, json=BODY | {"model": "x"}), 404, "not_found_error")
    assert "'x'" in message
    long = await client.post(URL, json=BODY | {"max_tokens": MAX_CONTEXT})
    assert "context" in wrong(long)
    wrong(await client.post(URL, content=b"{"))
    wrong(await client.get(f"{URL}/other"), 404, "not_found_error")
    large = await client.post(URL, content=b" " * (17 << 20))
    wrong(large, 413, "request_too_large")


async def test_a_failed_generation(client: httpx.AsyncClient, model: ScriptedModel) -> None:
    model.reply = lambda prompt, params: [*ids_of("ok"), -1]
    wrong(await client.post(URL, json=BODY), 500, "api_error")
    *_, last = events(await client.post(URL, json=BODY | {"stream": True}))
    assert last["type"] == "error"
    assert last["error"]["type"] == "api_error"


class TestKeys:
    @pytest.fixture
    def settings(self, folder: Path) -> Settings:
        return make_settings(folder, api_key="secret")

    async def test_a_key_comes_where_anthropic_puts_it(self, client: httpx.AsyncClient) -> None:
        wrong(await client.post(URL, json=BODY), 401, "authentication_error")
        response = await client.post(URL, json=BODY, headers={"x-api-key": "secret"})
        assert response.status_code == 200
        assert response.headers["request-id"] == response.headers["x-request-id"]
