"""A form that can't be kept to after all is its own client's 400, and disturbs nobody.

Through a stock openai client, from the built-in model.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from sterna.server.checkpoint import BUILTIN_NAME, resolve
from sterna.server.engine_config import engine_config
from sterna.server.settings import Settings
from sterna.server.text.checkpoint_text import FolderText
from sterna.server.text.tokenizer import Tokenizer

GROWING = r"(.*a.{50}){20}"  # each character may begin anew: too many states after some
MAX_TOKENS = 240
MESSAGES: list[ChatCompletionMessageParam] = [
    {"role": "user", "content": "Describe a fox as JSON, please."}
]

Fields = dict[str, Any]
Ask = Callable[[openai.AsyncOpenAI, Fields], Awaitable[list[str]]]


@pytest.fixture
def client(builtin: openai.AsyncOpenAI) -> openai.AsyncOpenAI:
    return builtin


async def whole(client: openai.AsyncOpenAI, extra: Fields) -> list[str]:
    answer = await client.chat.completions.create(
        model=BUILTIN_NAME, messages=MESSAGES, seed=0, n=4, max_tokens=MAX_TOKENS, extra_body=extra
    )
    return [choice.message.content or "" for choice in answer.choices]


async def streamed(client: openai.AsyncOpenAI, extra: Fields) -> list[str]:
    stream = await client.chat.completions.create(
        model=BUILTIN_NAME,
        messages=MESSAGES,
        seed=0,
        n=4,
        max_tokens=MAX_TOKENS,
        stream=True,
        extra_body=extra,
    )
    texts = [""] * 4
    async for chunk in stream:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    return texts


def as_schema(pattern: str) -> Fields:
    schema = {"type": "string", "pattern": f"^{pattern}$"}
    form = {"type": "json_schema", "json_schema": {"name": "it", "schema": schema}}
    return {"response_format": form}


def as_tool(pattern: str) -> Fields:
    parameters: Fields = {
        "type": "object",
        "properties": {"it": {"type": "string", "pattern": pattern}},
    }
    parameters |= {"required": ["it"], "additionalProperties": False}
    function = {"name": "f", "parameters": parameters}
    return {"tools": [{"type": "function", "function": function}], "tool_choice": "required"}


def nothing_left() -> Fields:
    """The form allows one token, which ``min_tokens`` bans for now."""
    config = engine_config(resolve(Settings.load({}, environment={})))
    (token_id,) = Tokenizer.load(FolderText(config.model_path)).encode("a")[-1:]
    structured = {"choice": ["a"]}
    return {"structured_outputs": structured, "stop_token_ids": [token_id], "min_tokens": 1}


@pytest.mark.parametrize("ask", [whole, streamed])
@pytest.mark.parametrize(
    ("fields", "param", "reason"),
    [
        ({"structured_outputs": {"regex": GROWING}}, "structured_outputs.regex", "too many states"),
        (as_schema(GROWING), "response_format.json_schema.schema", "too many states"),
        (as_tool(f"^{GROWING}$"), "tools", "too many states"),
        (
            as_schema(GROWING) | as_tool("^a$") | {"tool_choice": "auto"},
            "tools or response_format.json_schema.schema",
            "too many states",
        ),
        (nothing_left(), "structured_outputs.choice", "no token is allowed next"),
    ],
    ids=["regex", "schema", "tool", "tool and schema", "nothing left"],
)
async def test_it_is_the_request_that_is_wrong(
    client: openai.AsyncOpenAI, ask: Ask, fields: Fields, param: str, reason: str
) -> None:
    alone = await ask(client, {})
    failed, *plain = await asyncio.gather(
        ask(client, fields), ask(client, {}), ask(client, {}), return_exceptions=True
    )
    assert plain == [alone, alone]
    assert isinstance(failed, openai.APIError)
    assert isinstance(failed.body, dict)
    assert isinstance(failed, openai.BadRequestError) == (ask is whole)  # a stream has begun
    assert (failed.type, failed.code) == ("invalid_request_error", "constraint_failed")
    assert failed.param == param
    assert failed.body["message"].startswith(f"{param}: ")
    assert reason in failed.body["message"]
    assert "\n" not in failed.body["message"]
