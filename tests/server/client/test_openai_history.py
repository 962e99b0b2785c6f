"""What the openai client and other servers keep of an answer may be sent back as it is."""

import json
from typing import Any, Literal

import openai
import pytest
from pydantic import BaseModel

from sterna.server.checkpoint import BUILTIN_NAME
from tests.server.tool_asking import MESSAGES, TOOLS

CALL = {"id": "call_1", "type": "function", "function": {"name": "stop", "arguments": "{}"}}


class Fox(BaseModel):
    wise: bool
    age: Literal[1, 2]


class GetWeather(BaseModel):
    city: Literal["Oslo", "Rome"]


async def go_on(client: openai.AsyncOpenAI, *turns: Any, **fields: Any) -> Any:
    """Ask for one more turn after these."""
    create: Any = client.chat.completions.create
    return await create(
        model=BUILTIN_NAME, messages=[*MESSAGES, *turns], max_tokens=10, seed=1, **fields
    )


@pytest.mark.filterwarnings("ignore:Pydantic serializer")  # the client warns about its own type
async def test_a_parsed_answer_is_sent_back(builtin: openai.AsyncOpenAI) -> None:
    answer = await builtin.chat.completions.parse(
        model=BUILTIN_NAME, messages=MESSAGES, response_format=Fox, max_tokens=60
    )
    message = answer.choices[0].message
    assert isinstance(message.parsed, Fox)
    for sent in (message, message.model_dump()):
        assert await go_on(builtin, sent, MESSAGES[0])


@pytest.mark.filterwarnings("ignore:Pydantic serializer")
async def test_a_parsed_call_is_sent_back(builtin: openai.AsyncOpenAI) -> None:
    answer = await builtin.chat.completions.parse(
        model=BUILTIN_NAME,
        messages=MESSAGES,
        tools=[openai.pydantic_function_tool(GetWeather)],
        tool_choice="required",
        parallel_tool_calls=False,
        max_tokens=60,
    )
    message = answer.choices[0].message
    (call,) = message.tool_calls or []
    assert isinstance(call.function.parsed_arguments, GetWeather)
    result = {"role": "tool", "tool_call_id": call.id, "content": "rain"}
    for sent in (message, message.model_dump()):
        assert await go_on(builtin, sent, result)
        assert await go_on(builtin, sent, MESSAGES[0])  # without an answer to the call


async def test_a_cut_call_is_sent_back(builtin: openai.AsyncOpenAI) -> None:
    create: Any = builtin.chat.completions.create
    named = {"type": "function", "function": {"name": "get_weather"}}
    for limit in range(20, 45, 4):
        answer = await create(
            model=BUILTIN_NAME, messages=MESSAGES, tools=TOOLS, tool_choice=named, max_tokens=limit
        )
        message = answer.choices[0].message
        if message.tool_calls:
            assert await go_on(builtin, message, MESSAGES[0])


OTHERS: list[dict[str, Any]] = [
    {"content": None, "function_call": None, "refusal": None, "audio": None, "id": "msg_1"},
    {"content": "", "reasoning": "Hm.", "reasoning_details": [{"type": "reasoning.text"}]},
    {"content": "A", "reasoning_content": "Hm.", "provider_specific_fields": {"a": 1}},
    {"content": [{"type": "text", "text": "A", "cache_control": {"type": "ephemeral"}}]},
]


@pytest.mark.parametrize("kept", OTHERS, ids=json.dumps)
@pytest.mark.parametrize("arguments", ["{}", "", None, {}, '{"a": "b'])
async def test_what_other_servers_wrote_is_taken(
    builtin: openai.AsyncOpenAI, kept: dict[str, Any], arguments: object
) -> None:
    call = CALL | {"function": {"name": "stop", "arguments": arguments}, "index": 0}
    turn = {"role": "assistant", "tool_calls": [call], **kept}
    result = {"role": "tool", "tool_call_id": "call_1", "content": "ok"}
    assert await go_on(builtin, turn, result)


async def test_an_answer_that_was_nothing_is_sent_back(builtin: openai.AsyncOpenAI) -> None:
    assert await go_on(builtin, {"role": "assistant", "content": None}, MESSAGES[0])
