"""What Anthropic's client and Claude Code send beside plain messages, as they are shipped."""

from typing import Any, Literal

import anthropic
import httpx
from anthropic import beta_async_tool
from anthropic.types import MessageParam
from anthropic.types.beta import BetaMessageParam
from pydantic import BaseModel

from sterna.server.checkpoint import BUILTIN_NAME
from tests.server.scripted import LIMIT_SECONDS

QUESTION = "What is a river?"
MESSAGES: list[MessageParam] = [{"role": "user", "content": QUESTION}]
BETA_MESSAGES: list[BetaMessageParam] = [{"role": "user", "content": QUESTION}]


class Fox(BaseModel):
    wise: bool
    age: Literal[1, 2]


async def test_parse_gives_an_object(anthropic_client: anthropic.AsyncAnthropic) -> None:
    answer = await anthropic_client.messages.parse(
        model=BUILTIN_NAME, max_tokens=60, messages=MESSAGES, output_format=Fox
    )
    assert isinstance(answer.parsed_output, Fox)
    turns: list[MessageParam] = [
        *MESSAGES, {"role": "assistant", "content": answer.content}, *MESSAGES
    ]  # fmt: skip
    again = await anthropic_client.messages.parse(
        model=BUILTIN_NAME,
        max_tokens=60,
        messages=turns,
        output_format=Fox,
        output_config={"effort": "low"},
        thinking={"type": "adaptive"},
    )
    assert isinstance(again.parsed_output, Fox)


@beta_async_tool
async def get_weather(city: Literal["Oslo", "Rome"]) -> str:
    """Tell the weather."""
    return f"rain in {city}"


async def test_the_tool_runner_runs_its_tools(anthropic_client: anthropic.AsyncAnthropic) -> None:
    runner = anthropic_client.beta.messages.tool_runner(
        model=BUILTIN_NAME,
        max_tokens=60,
        messages=BETA_MESSAGES,
        tools=[get_weather],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
        context_management={"edits": [{"type": "clear_tool_uses_20250919"}]},
        betas=["context-management-2025-06-27"],
        max_iterations=3,
    )
    answers = [answer async for answer in runner]
    assert [answer.stop_reason for answer in answers] == ["tool_use"] * 3
    sizes = [a.usage.input_tokens + (a.usage.cache_read_input_tokens or 0) for a in answers]
    assert sizes == sorted(set(sizes))  # each turn was read with all that came before


async def test_the_streaming_tool_runner_runs_its_tools(
    anthropic_client: anthropic.AsyncAnthropic,
) -> None:
    runner = anthropic_client.beta.messages.tool_runner(
        model=BUILTIN_NAME,
        max_tokens=60,
        messages=BETA_MESSAGES,
        tools=[get_weather],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
        stream=True,
        max_iterations=3,
    )
    reasons = [(await stream.get_final_message()).stop_reason async for stream in runner]
    assert reasons == ["tool_use"] * 3


async def test_a_thread_sends_again_what_is_not_kept(
    anthropic_client: anthropic.AsyncAnthropic,
) -> None:
    thread = anthropic_client.beta.messages.thread(model=BUILTIN_NAME, max_tokens=20)
    sizes = []
    for _ in range(3):
        answer = await thread.send(BETA_MESSAGES[0])
        usage = answer.usage
        sizes.append(usage.input_tokens + (usage.cache_read_input_tokens or 0))
    assert sizes == sorted(set(sizes))


EPHEMERAL = {"cache_control": {"type": "ephemeral"}}
CLAUDE_CODE: dict[str, Any] = {  # the form of its requests; its texts are far longer
    "model": BUILTIN_NAME,
    "max_tokens": 20,
    "stream": True,
    "temperature": 1,
    "metadata": {"user_id": "user_0_account__session_0"},
    "thinking": {"type": "adaptive"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "output_config": {"effort": "high"},
    "system": [
        {"type": "text", "text": "You are Claude Code."},
        {"type": "text", "text": "Be brief.", **EPHEMERAL},
    ],
    "tools": [
        {
            "name": "Read",
            "description": "Reads a file.",
            "input_schema": {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object",
                "properties": {
                    "file_path": {"type": "string", "description": "The absolute path"},
                    "limit": {
                        "type": "integer",
                        "exclusiveMinimum": 0,
                        "maximum": 9007199254740991,
                    },
                },
                "required": ["file_path"],
                "additionalProperties": False,
            },
        },
    ],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "<system-reminder>Note.</system-reminder>"},
                {"type": "text", "text": "Read a.txt", **EPHEMERAL},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "I shall read.", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "x"},
                {"type": "text", "text": "I read it."},
                {
                    "type": "tool_use",
                    "id": "toolu_1",
                    "name": "Read",
                    "input": {"file_path": "/a.txt"},
                    "caller": {"type": "direct"},
                },
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
                    "is_error": False,
                    **EPHEMERAL,
                },
                {"type": "text", "text": "So?", **EPHEMERAL},
            ],
        },
    ],
}
ASK = {
    "name": "AskUserQuestion",
    "input_schema": {
        "type": "object",
        "properties": {
            "answers": {
                "type": "object",
                "propertyNames": {"type": "string"},
                "additionalProperties": {"type": "string"},
            },
        },
    },
    **EPHEMERAL,
}
HEADERS = {
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14",
    "x-app": "cli",
    "authorization": "Bearer none",
}


async def test_claude_code_is_answered(builtin_url: str) -> None:
    async with httpx.AsyncClient(base_url=builtin_url, timeout=LIMIT_SECONDS) as http:
        url = "/v1/messages?beta=true"
        response = await http.post(url, json=CLAUDE_CODE, headers=HEADERS)
        assert response.status_code == 200, response.text
        assert "event: message_stop" in response.text
        fields = ("model", "system", "messages", "tools", "thinking", "context_management")
        body = {name: CLAUDE_CODE[name] for name in fields}
        count = await http.post("/v1/messages/count_tokens?beta=true", json=body, headers=HEADERS)
        assert count.json()["input_tokens"] > 100


async def test_schemas_of_its_tools_are_kept_to(builtin_url: str) -> None:
    body = {"messages": MESSAGES, "max_tokens": 40, "tools": [ASK]}
    async with httpx.AsyncClient(base_url=builtin_url, timeout=LIMIT_SECONDS) as http:
        response = await http.post("/v1/messages", json=body)
        assert response.status_code == 200, response.text


async def test_an_interrupted_call_may_be_left_unanswered(builtin_url: str) -> None:
    *turns, _ = CLAUDE_CODE["messages"]
    goes_on = {"role": "user", "content": "[Request interrupted by user]"}
    body = CLAUDE_CODE | {"messages": [*turns, goes_on]}
    async with httpx.AsyncClient(base_url=builtin_url, timeout=LIMIT_SECONDS) as http:
        assert (await http.post("/v1/messages", json=body)).status_code == 200
