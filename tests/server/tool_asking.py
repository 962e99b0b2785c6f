"""Requests to the built-in model with tools, and what has been called; which must be valid."""

import json
from typing import Any

import jsonschema
import openai
from openai.types.chat import (
    ChatCompletion,
    ChatCompletionMessageParam,
    ChatCompletionToolUnionParam,
)

from sterna.server.checkpoint import BUILTIN_NAME

MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is a river?"}]
WEATHER = {
    "type": "object",
    "properties": {
        "city": {"enum": ["Oslo", "Rome"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 99},
        "note": {"type": "string", "maxLength": 12},
    },
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS: list[ChatCompletionToolUnionParam] = [
    {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}},
    {"type": "function", "function": {"name": "stop", "description": "Ends it all."}},
]
SCHEMAS: dict[str, Any] = {
    "get_weather": WEATHER,
    "stop": {"type": "object", "additionalProperties": False},
}
NAMED = {"type": "function", "function": {"name": "get_weather"}}
ALLOWED = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [NAMED]}}


async def ask(client: openai.AsyncOpenAI, **fields: Any) -> ChatCompletion:
    fields = {"messages": MESSAGES, "tools": TOOLS, "max_tokens": 90, "temperature": 1} | fields
    create: Any = client.chat.completions.create
    answer: ChatCompletion = await create(model=BUILTIN_NAME, **fields)
    return answer


def calls(answer: ChatCompletion) -> list[tuple[str, Any]]:
    """Names and arguments of all calls that are complete; checks that they are valid."""
    found = []
    for choice in answer.choices:
        made = choice.message.tool_calls or []
        assert len({call.id for call in made}) == len(made)
        for call in made if choice.finish_reason != "length" else made[:-1]:
            assert call.type == "function"
            assert call.id.startswith("call_")
            arguments = json.loads(call.function.arguments)
            jsonschema.validate(arguments, SCHEMAS[call.function.name])
            found.append((call.function.name, arguments))
    return found
