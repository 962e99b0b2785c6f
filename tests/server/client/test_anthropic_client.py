"""A stock anthropic client against the real engine and the built-in model.

The client checks the shape of every response by itself (``_strict_response_validation``).
"""

import anthropic
import jsonschema
import pytest
from anthropic.types import (
    Message,
    MessageParam,
    ToolChoiceAnyParam,
    ToolChoiceToolParam,
    ToolParam,
    ToolUseBlock,
)

from sterna.server.checkpoint import BUILTIN_NAME

GREEDY = {"temperature": 0}  # the client has no such argument any more
MESSAGES: list[MessageParam] = [{"role": "user", "content": "What is a river?"}]


async def test_streamed_and_whole_are_the_same(anthropic_client: anthropic.AsyncAnthropic) -> None:
    whole = await anthropic_client.messages.create(
        model=BUILTIN_NAME, max_tokens=40, messages=MESSAGES, extra_body=GREEDY, system="Be brief."
    )
    async with anthropic_client.messages.stream(
        model=BUILTIN_NAME, max_tokens=40, messages=MESSAGES, extra_body=GREEDY, system="Be brief."
    ) as stream:
        text = "".join([piece async for piece in stream.text_stream])
        final = await stream.get_final_message()
    assert whole.content[0].type == "text"
    assert whole.content[0].text == text
    assert [block.model_dump() for block in final.content] == [
        block.model_dump() for block in whole.content
    ]
    assert final.stop_reason == whole.stop_reason
    assert final.usage.output_tokens == whole.usage.output_tokens
    prompts = [
        m.usage.input_tokens + (m.usage.cache_read_input_tokens or 0) for m in (whole, final)
    ]
    count = await anthropic_client.messages.count_tokens(
        model=BUILTIN_NAME, messages=MESSAGES, system="Be brief."
    )
    assert prompts == [count.input_tokens] * 2


async def test_a_stop_sequence_is_named(anthropic_client: anthropic.AsyncAnthropic) -> None:
    answer = await anthropic_client.messages.create(
        model=BUILTIN_NAME,
        max_tokens=40,
        messages=MESSAGES,
        extra_body=GREEDY,
        stop_sequences=[" river"],
    )
    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", " river")


async def test_errors_are_the_client_s_own_types(
    anthropic_client: anthropic.AsyncAnthropic,
) -> None:
    with pytest.raises(anthropic.NotFoundError) as missing:
        await anthropic_client.messages.create(model="other", max_tokens=9, messages=MESSAGES)
    assert missing.value.request_id
    with pytest.raises(anthropic.BadRequestError, match="context"):
        await anthropic_client.messages.create(
            model=BUILTIN_NAME, max_tokens=9999, messages=MESSAGES
        )


TOOLS: list[ToolParam] = [
    {
        "name": "get_weather",
        "description": "The weather.",
        "input_schema": {
            "type": "object",
            "properties": {"city": {"enum": ["Oslo", "Rome"]}, "days": {"enum": [1, 2]}},
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    },
    {"name": "stop", "input_schema": {"type": "object", "additionalProperties": False}},
]
SCHEMAS = {tool["name"]: tool["input_schema"] for tool in TOOLS}
ANY: ToolChoiceAnyParam = {"type": "any", "disable_parallel_tool_use": True}


def one_call(answer: Message) -> ToolUseBlock:
    """The only block, a valid call."""
    assert answer.stop_reason == "tool_use"
    (block,) = answer.content
    assert block.type == "tool_use"
    assert block.id.startswith("toolu_")
    jsonschema.validate(block.input, SCHEMAS[block.name])
    return block


async def test_calls_are_valid_whole_and_streamed(
    anthropic_client: anthropic.AsyncAnthropic,
) -> None:
    names = set()
    for seed in range(6):
        question: list[MessageParam] = [{"role": "user", "content": f"What is {seed}?"}]
        extra = {"temperature": 1}
        tools = TOOLS if seed % 2 else TOOLS[:1]  # of both, the model mostly likes the second
        whole = await anthropic_client.messages.create(
            model=BUILTIN_NAME, max_tokens=90, messages=question, tools=tools, tool_choice=ANY,
            extra_body=extra,
        )  # fmt: skip
        names.add(one_call(whole).name)
        async with anthropic_client.messages.stream(
            model=BUILTIN_NAME,
            max_tokens=90,
            messages=question,
            tools=tools,
            tool_choice=ANY,
            extra_body=extra,
        ) as stream:
            one_call(await stream.get_final_message())
    assert names == set(SCHEMAS)


async def test_a_result_goes_back_to_the_model(anthropic_client: anthropic.AsyncAnthropic) -> None:
    choice: ToolChoiceToolParam = {"type": "tool", "name": "get_weather"}
    first = await anthropic_client.messages.create(
        model=BUILTIN_NAME, max_tokens=90, messages=MESSAGES, tools=TOOLS, tool_choice=choice
    )
    call = one_call(first)
    turns: list[MessageParam] = [
        *MESSAGES,
        {"role": "assistant", "content": first.content},
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": call.id,
                    "content": "rain",
                    "is_error": True,
                },
                {"type": "text", "text": "So?"},
            ],
        },
    ]
    then = await anthropic_client.messages.create(
        model=BUILTIN_NAME, max_tokens=20, messages=turns, tools=TOOLS, extra_body=GREEDY
    )
    assert then.content[0].type == "text"
    assert then.usage.input_tokens + (then.usage.cache_read_input_tokens or 0) > 150
