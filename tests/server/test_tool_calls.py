"""A stock openai client, the built-in model and tools: calls are valid, and their results go back.

The client checks the shape of every response by itself (``_strict_response_validation``).
"""

import json
from typing import Any

import jsonschema
import openai
import pytest
from openai.types.chat import (
    ChatCompletion,
    ChatCompletionMessageParam,
    ChatCompletionToolUnionParam,
)

from server.checkpoint import BUILTIN_NAME
from server.schemas.tools import ToolFields
from server.tool_prompt import as_text
from server.tools import CALL_BEGIN
from tests.server.client.asking import tokens_of

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


@pytest.fixture
def client(builtin: openai.AsyncOpenAI) -> openai.AsyncOpenAI:
    return builtin


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


async def test_a_schema_that_cannot_be_kept_to_is_named(client: openai.AsyncOpenAI) -> None:
    for wrong in ({"type": "object", "properties": {"a": {"pattern": "("}}}, {"$ref": "#/nowhere"}):
        function = {"name": "bad", "parameters": wrong}
        with pytest.raises(openai.BadRequestError) as caught:
            await ask(client, tools=[*TOOLS, {"type": "function", "function": function}])
        assert caught.value.param == "tools[2].function.parameters"


ANSWER = {
    "type": "object",
    "properties": {"river": {"type": "string", "maxLength": 12}, "long": {"type": "boolean"}},
    "required": ["river", "long"],
    "additionalProperties": False,
}
FORM = {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": ANSWER}}}


async def calling(client: openai.AsyncOpenAI, weight: int) -> dict[str, Any]:
    """A bias for or against the first character of a call's mark."""
    url = str(client.base_url).removesuffix("/v1/")
    (*_, token_id) = await tokens_of(url, CALL_BEGIN[0])
    return {"logit_bias": {str(token_id): weight}}


@pytest.mark.parametrize("choice", ["auto", ALLOWED])
async def test_with_a_form_an_answer_is_calls_or_of_the_form(
    client: openai.AsyncOpenAI, choice: Any
) -> None:
    fields = FORM | {"tool_choice": choice, "parallel_tool_calls": False, "n": 12, "seed": 8}
    called = await ask(client, **fields, **await calling(client, 100))
    assert calls(called)
    assert {choice.message.content for choice in called.choices} == {None}
    said = await ask(client, **fields, **await calling(client, -100))
    assert not calls(said)
    ended = [choice for choice in said.choices if choice.finish_reason == "stop"]
    assert ended
    for each in ended:
        jsonschema.validate(json.loads(each.message.content or ""), ANSWER)


async def test_a_form_means_nothing_to_calls_and_all_without_them(
    client: openai.AsyncOpenAI,
) -> None:
    required = await ask(client, tool_choice="required", n=4, seed=9, **FORM)
    free = await ask(client, tool_choice="required", n=4, seed=9)
    assert calls(required) == calls(free) != []
    none = await ask(client, tool_choice="none", seed=9, **FORM)
    alone = await ask(client, tools=openai.omit, seed=9, **FORM)
    jsonschema.validate(json.loads(none.choices[0].message.content or ""), ANSWER)
    assert none.choices[0].message.content == alone.choices[0].message.content


@pytest.mark.parametrize(
    ("structured", "expected"),
    [({"choice": ["<", "no"]}, "< no"), ({"regex": "[<a-c]{3}"}, "<abc")],
)
async def test_other_forms_go_with_calls_too(
    client: openai.AsyncOpenAI, structured: Any, expected: str
) -> None:
    answer = await ask(client, n=8, seed=1, extra_body={"structured_outputs": structured})
    calls(answer)
    texts = [each.message.content for each in answer.choices if not each.message.tool_calls]
    assert texts
    assert all(text and set(text) <= set(expected) for text in texts)


async def test_only_a_grammar_can_not_be_asked_for_beside_calls(
    client: openai.AsyncOpenAI,
) -> None:
    form = {"structured_outputs": {"grammar": 'start: "a"'}}
    with pytest.raises(openai.BadRequestError, match=r"structured_outputs\.grammar") as caught:
        await ask(client, extra_body=form)
    assert caught.value.param == "tool_choice"
    assert calls(await ask(client, tool_choice=NAMED, extra_body=form))
    none = await ask(client, tool_choice="none", extra_body=form)
    assert none.choices[0].message.content == "a"


async def test_a_form_that_cannot_be_kept_to_is_named_beside_tools(
    client: openai.AsyncOpenAI,
) -> None:
    for choice in ("auto", "required"):
        with pytest.raises(openai.BadRequestError) as caught:
            await ask(client, tool_choice=choice, extra_body={"structured_outputs": {"regex": "("}})
        assert caught.value.param == "structured_outputs.regex"


async def test_calls_end_where_they_are_whole(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="ignore_eos") as caught:
        await ask(client, extra_body={"ignore_eos": True})
    assert caught.value.param == "tool_choice"
