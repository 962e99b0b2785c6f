"""A stock openai client, the built-in model and tools: calls are valid, and their results go back.

The client checks the shape of every response by itself (``_strict_response_validation``).
"""

from typing import Any

import openai
import pytest

from sterna.server.checkpoint import BUILTIN_NAME
from sterna.server.schemas.tools import ToolFields
from sterna.server.tools.prompt import as_text
from tests.server.tool_asking import MESSAGES, NAMED, SCHEMAS, TOOLS, ask, calls


@pytest.fixture
def client(builtin: openai.AsyncOpenAI) -> openai.AsyncOpenAI:
    return builtin


async def test_required_calls_are_valid_whatever_the_seed(client: openai.AsyncOpenAI) -> None:
    answer = await ask(client, tool_choice="required", parallel_tool_calls=False, n=12, seed=1)
    assert {name for name, _ in calls(answer)} == set(SCHEMAS)
    for choice in answer.choices:
        assert choice.message.content is None
        assert len(choice.message.tool_calls or ()) == 1
        assert choice.finish_reason == "tool_calls"


async def test_a_named_call_is_made_and_ends_with_a_plain_stop(client: openai.AsyncOpenAI) -> None:
    answer = await ask(client, tool_choice=NAMED, n=12, seed=2)
    assert [name for name, _ in calls(answer)] == ["get_weather"] * 12
    assert {choice.finish_reason for choice in answer.choices} == {"stop"}


async def test_parallel_calls(client: openai.AsyncOpenAI) -> None:
    answer = await ask(client, tool_choice="required", n=12, seed=3)
    calls(answer)
    assert max(len(choice.message.tool_calls or ()) for choice in answer.choices) > 1


async def test_a_stream_is_as_the_whole(client: openai.AsyncOpenAI) -> None:
    whole = await ask(client, tool_choice="required", seed=4)
    fields: dict[str, Any] = {"tools": TOOLS, "tool_choice": "required", "seed": 4}
    stream = await client.chat.completions.create(
        model=BUILTIN_NAME, messages=MESSAGES, max_tokens=90, temperature=1, stream=True, **fields
    )
    streamed: list[list[str]] = []
    reason = None
    async for chunk in stream:
        (choice,) = chunk.choices
        reason = choice.finish_reason or reason
        assert not choice.delta.content
        for call in choice.delta.tool_calls or ():
            assert call.function
            if call.index == len(streamed):
                assert call.id and call.type == "function"
                assert call.function.arguments == ""
                streamed.append([call.function.name or "", ""])
            else:
                assert call.index == len(streamed) - 1
                assert call.id is None and call.function.name is None
                streamed[-1][1] += call.function.arguments or ""
    made = whole.choices[0].message.tool_calls or []
    assert streamed == [
        [c.function.name, c.function.arguments] for c in made if c.type == "function"
    ]
    assert reason == whole.choices[0].finish_reason


async def test_text_is_the_same_with_tools_that_are_not_called(client: openai.AsyncOpenAI) -> None:
    """Against a prompt that is the same, but may not lead to a call."""
    free = await ask(client, seed=5, temperature=0)
    assert free.choices[0].message.content
    assert free.choices[0].message.tool_calls is None
    shown = ToolFields.model_validate({"tools": TOOLS}).tool_use().shown
    system = as_text([{"role": "user", "content": ""}], shown)[0]
    same = await ask(client, seed=5, temperature=0, tools=openai.omit, messages=[system, *MESSAGES])
    assert same.usage and free.usage and same.usage.prompt_tokens == free.usage.prompt_tokens
    assert same.choices[0].message.content == free.choices[0].message.content


async def test_results_go_back_to_the_model(client: openai.AsyncOpenAI) -> None:
    first = await ask(client, tool_choice="required", parallel_tool_calls=False, seed=6)
    message = first.choices[0].message
    assert message.tool_calls
    turns = [
        *MESSAGES,
        message.model_dump(),
        {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "It rains."},
    ]
    second = await ask(client, messages=turns, tool_choice="none", max_tokens=20, temperature=0)
    assert second.choices[0].message.content
    assert second.choices[0].message.tool_calls is None


async def test_a_call_that_the_limit_cuts_says_so(client: openai.AsyncOpenAI) -> None:
    answer = await ask(client, tool_choice=NAMED, max_tokens=24, seed=7)
    assert answer.choices[0].finish_reason == "length"
    assert not answer.choices[0].message.content


async def test_a_schema_that_is_wrong_is_named(client: openai.AsyncOpenAI) -> None:
    for wrong in ({"properties": {"a": {"type": "strnig"}}}, {"$ref": "#/nowhere"}):
        function = {"name": "bad", "parameters": wrong}
        with pytest.raises(openai.BadRequestError) as caught:
            await ask(client, tools=[*TOOLS, {"type": "function", "function": function}])
        assert caught.value.param == "tools[2].function.parameters"


async def test_calls_end_where_they_are_whole(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="ignore_eos") as caught:
        await ask(client, extra_body={"ignore_eos": True})
    assert caught.value.param == "tool_choice"
