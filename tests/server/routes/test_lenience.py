"""What could never change the output is taken; what other servers offer instead is named."""

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
    make_folder,
    make_settings,
)

CHAT, TEXT, MESSAGES = "/v1/chat/completions", "/v1/completions", "/v1/messages"
TURNS: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]
BODIES: dict[str, dict[str, Any]] = {
    CHAT: {"messages": TURNS},
    TEXT: {"prompt": "Hi"},
    MESSAGES: {"messages": TURNS, "max_tokens": 20},
}
BOTH: list[dict[str, Any]] = [
    {"store": True, "metadata": {"a": "b"}, "service_tier": "flex", "user": "u"},
    {"safety_identifier": "s", "prompt_cache_key": "k", "prompt_cache_retention": "24h"},
    {"prompt_cache_options": {"mode": "implicit"}, "guided_json": None},
    {"max_tokens": 13.0, "n": 1.0, "seed": 4.0, "top_k": 0.0, "stop_token_ids": [7.0]},
]
INERT: list[tuple[str, dict[str, Any]]] = [
    *((url, fields) for url in (CHAT, TEXT) for fields in BOTH),
    (CHAT, {"reasoning_effort": "high", "verbosity": "low"}),
    (CHAT, {"max_completion_tokens": 13.0}),
    (TEXT, {"prompt": [float(token_id) for token_id in ids_of("Hi")]}),
    (TEXT, {"prompt": [[float(token_id) for token_id in ids_of("Hi")]]}),
    (MESSAGES, {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
    (MESSAGES, {"thinking": {"type": "adaptive", "display": "omitted"}}),
    (MESSAGES, {"context_management": {"edits": [{"type": "clear_thinking_20251015"}]}}),
    (MESSAGES, {"output_config": {"effort": "max", "task_budget": {"type": "tokens"}}}),
    (MESSAGES, {"thread": {"type": "create"}, "speed": "fast", "fallbacks": "default"}),
    (MESSAGES, {"metadata": {"user_id": "u"}, "service_tier": "auto", "betas": ["b"]}),
    (MESSAGES, {"diagnostics": {"previous_message_id": None}, "max_tokens": 20.0}),
]


def text_of(answer: dict[str, Any]) -> str:
    """What an answer of any of the three endpoints says."""
    if "content" in answer:
        return str(answer["content"][0]["text"])
    choice = answer["choices"][0]
    return str(choice["text"] if "text" in choice else choice["message"]["content"])


@pytest.mark.parametrize(("url", "fields"), INERT, ids=str)
async def test_what_is_inert_is_taken(
    client: httpx.AsyncClient, url: str, fields: dict[str, Any]
) -> None:
    response = await client.post(url, json=BODIES[url] | fields)
    assert response.status_code == 200, response.text
    assert text_of(response.json()) == "Hello there!"


@pytest.mark.parametrize("url", BODIES)
async def test_the_model_may_be_left_out(client: httpx.AsyncClient, url: str) -> None:
    answer = (await client.post(url, json=BODIES[url])).json()
    assert answer["model"] == "scripted"
    assert (await client.post(url, json=BODIES[url] | {"model": "other"})).status_code == 404


@pytest.mark.parametrize(
    ("url", "name"), [(CHAT, "max_tokens"), (CHAT, "max_completion_tokens"), (TEXT, "max_tokens")]
)
async def test_a_limit_of_minus_one_is_none(
    client: httpx.AsyncClient, model: ScriptedModel, url: str, name: str
) -> None:
    model.reply = babbles()
    usage = (await client.post(url, json=BODIES[url] | {name: -1})).json()["usage"]
    assert usage["total_tokens"] == MAX_CONTEXT


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("guided_json", "structured_outputs.json"),
        ("guided_regex", "structured_outputs.regex"),
        ("guided_choice", "structured_outputs.choice"),
        ("guided_grammar", "structured_outputs.grammar"),
    ],
)
@pytest.mark.parametrize("url", [CHAT, TEXT])
async def test_what_is_named_otherwise_is_hinted_at(
    client: httpx.AsyncClient, url: str, name: str, instead: str
) -> None:
    error = (await client.post(url, json=BODIES[url] | {name: "x"})).json()["error"]
    assert (error["param"], instead in error["message"]) == (name, True)


async def test_a_conversation_is_not_kept(client: httpx.AsyncClient) -> None:
    thread = {"type": "continue", "previous_message_id": "msg_1"}
    response = await client.post(MESSAGES, json=BODIES[MESSAGES] | {"thread": thread})
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["details"] == {"error_code": "thread_not_found"}
    assert "send all messages" in error["message"]


async def test_a_form_is_kept_to(client: httpx.AsyncClient, model: ScriptedModel) -> None:
    schema = {"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]}
    form = {"type": "json_schema", "schema": schema | {"additionalProperties": False}}
    model.reply = lambda prompt, params: [
        *ids_of('{"a": 1}' if params.constraint else "free"),
        SPECIAL.end_of_turn,
    ]
    for fields in ({"output_config": {"format": form, "effort": "low"}}, {"output_format": form}):
        answer = (await client.post(MESSAGES, json=BODIES[MESSAGES] | fields)).json()
        assert json.loads(text_of(answer)) == {"a": 1}


class TestDefaultLimit:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (make_folder(tmp_path) / "generation_config.json").write_text('{"max_new_tokens": 30}')
        return tmp_path

    @pytest.fixture
    def settings(self, folder: Path) -> Settings:
        return make_settings(folder)

    @pytest.mark.parametrize("url", [CHAT, TEXT])
    async def test_is_that_of_the_checkpoint(
        self, client: httpx.AsyncClient, model: ScriptedModel, url: str
    ) -> None:
        model.reply = babbles()

        async def num_tokens(**fields: Any) -> int:
            answer = (await client.post(url, json=BODIES[url] | fields)).json()
            return int(answer["usage"]["completion_tokens"])

        assert await num_tokens() == 30
        assert await num_tokens(max_tokens=40) == 40
        assert await num_tokens(max_tokens=-1) > 200
        long = TURNS[0] | {"content": "x" * (MAX_CONTEXT - 40)}
        prompt = {"messages": [long]} if url == CHAT else {"prompt": long["content"]}
        assert await num_tokens(**prompt) <= 30
