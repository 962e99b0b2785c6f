"""What a tool's schema asks in vain is left out and named, unless the tool is strict."""

import json
from typing import Any

import jsonschema
import openai
import pytest

from sterna.server.checkpoint import BUILTIN_NAME
from tests.server.tool_asking import MESSAGES

PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "tags": {
            "type": "array",
            "items": {"enum": ["a", "b"]},
            "uniqueItems": True,
            "maxItems": 2,
        },
        "code": {"type": "string", "pattern": "^(?!x)[a-c]{2}$", "maxLength": 4},
        "unit": {"oneOf": [{"enum": [1, 2]}, {"enum": [2, 3]}]},
    },
    "required": ["tags"],
    "if": {"required": ["code"]},
    "then": {"required": ["unit"]},
}
NAMES = {"uniqueItems", "pattern", "oneOf", "if"}
GOOD = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 5}}}


def function(name: str, parameters: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": parameters, **fields}}


async def asked(client: openai.AsyncOpenAI, *tools: Any, **fields: Any) -> Any:
    create: Any = client.chat.completions.with_raw_response.create
    fields = {"tool_choice": "required", "max_tokens": 100, "temperature": 1, "seed": 1} | fields
    return await create(model=BUILTIN_NAME, messages=MESSAGES, tools=tools, **fields)


async def test_it_is_named_in_a_header(builtin: openai.AsyncOpenAI) -> None:
    response = await asked(builtin, function("f", PARAMETERS))
    name, _, keywords = response.headers["x-sterna-unenforced"].partition(": ")
    assert name == "f"
    assert set(keywords.split(", ")) == NAMES


async def test_a_stream_names_it_too(builtin: openai.AsyncOpenAI) -> None:
    response = await asked(builtin, function("f", PARAMETERS), stream=True)
    assert response.headers["x-sterna-unenforced"].startswith("f: ")
    async for _ in response.parse():
        pass


async def test_the_rest_is_kept_to(builtin: openai.AsyncOpenAI) -> None:
    rest = json.loads(json.dumps(PARAMETERS)) | {"additionalProperties": False}
    del rest["if"], rest["properties"]["tags"]["uniqueItems"]
    del rest["properties"]["code"]["pattern"]
    rest["properties"]["unit"] = {"enum": [1, 2, 3]}
    response = await asked(builtin, function("f", PARAMETERS), n=8, parallel_tool_calls=False)
    whole = [c for c in response.parse().choices if c.finish_reason == "tool_calls"]
    assert whole
    for choice in whole:
        jsonschema.validate(json.loads(choice.message.tool_calls[0].function.arguments), rest)


async def test_a_pattern_that_cannot_be_compiled_is_left_out(builtin: openai.AsyncOpenAI) -> None:
    properties = {"a": {"type": "string", "pattern": "("}, "b": {"enum": [1], "pattern": "^b$"}}
    parameters = {"type": "object", "properties": properties, "required": ["a", "b"]}
    response = await asked(builtin, function("f", parameters), function("g", GOOD))
    assert response.headers["x-sterna-unenforced"] == "f: pattern"


async def test_where_all_is_kept_to_nothing_is_named(builtin: openai.AsyncOpenAI) -> None:
    response = await asked(builtin, function("g", GOOD))
    assert "x-sterna-unenforced" not in response.headers


@pytest.mark.parametrize("keyword", sorted(PARAMETERS["properties"]))
async def test_a_strict_tool_is_refused(builtin: openai.AsyncOpenAI, keyword: str) -> None:
    parameters = {"type": "object", "properties": {keyword: PARAMETERS["properties"][keyword]}}
    with pytest.raises(openai.BadRequestError) as caught:
        await asked(builtin, function("g", GOOD), function("f", parameters, strict=True))
    assert caught.value.param == "tools[1].function.parameters"


async def test_a_strict_tool_of_messages_is_refused_too(builtin: openai.AsyncOpenAI) -> None:
    tool = {"name": "f", "input_schema": PARAMETERS}
    body = {"model": BUILTIN_NAME, "max_tokens": 9, "messages": MESSAGES}
    for strict, status in ((None, 200), (True, 400)):
        tools = [tool | {"strict": strict}]
        response = await builtin._client.post("messages", json=body | {"tools": tools})
        assert response.status_code == status
        assert ("x-sterna-unenforced" in response.headers) == (status == 200)
