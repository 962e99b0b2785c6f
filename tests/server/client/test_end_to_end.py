"""A stock openai client against the real engine with real kernels and a tiny random model.

The client checks the shape of every response by itself (``_strict_response_validation``).
"""

import asyncio

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam
from prometheus_client.parser import text_string_to_metric_families

from tests.server.client.asking import NAMES
from tests.server.scripted import LIMIT_SECONDS

MODEL = NAMES[0]
MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Tell me a story."}]

NO_END = {"ignore_eos": True}  # a random model may end at once


async def whole(client: openai.AsyncOpenAI, seed: int, text: str = "Tell me a story.") -> str:
    answer = await client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": text}],
        seed=seed,
        max_tokens=40,
        extra_body=NO_END,
    )
    assert answer.usage and answer.usage.completion_tokens == 40
    assert answer.choices[0].finish_reason == "length"
    return answer.choices[0].message.content or ""


async def streamed(client: openai.AsyncOpenAI, seed: int, text: str = "Tell me a story.") -> str:
    chunks = await client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": text}],
        seed=seed,
        max_tokens=40,
        stream=True,
        stream_options={"include_usage": True},
        extra_body=NO_END,
    )
    pieces = []
    async for chunk in chunks:
        pieces += [choice.delta.content or "" for choice in chunk.choices]
    assert chunk.usage and chunk.usage.prompt_tokens_details
    return "".join(pieces)


async def test_streamed_and_whole_are_the_same(client: openai.AsyncOpenAI) -> None:
    text = await whole(client, seed=1)
    assert text
    assert await streamed(client, seed=1) == text
    assert await whole(client, seed=1) == text
    assert await whole(client, seed=2) != text


async def test_sixteen_streams_at_once_are_as_each_alone(client: openai.AsyncOpenAI) -> None:
    texts = [f"Count to {number}" * (1 + number % 5) for number in range(16)]
    alone = [await streamed(client, seed, text) for seed, text in enumerate(texts)]
    together = await asyncio.gather(
        *(streamed(client, seed, text) for seed, text in enumerate(texts))
    )
    assert together == alone


async def test_greedy_choices_agree_and_seeded_ones_differ(client: openai.AsyncOpenAI) -> None:
    greedy = await client.chat.completions.create(
        model=MODEL, messages=MESSAGES, n=3, temperature=0, max_tokens=20
    )
    assert len({choice.message.content for choice in greedy.choices}) == 1
    seeded = await client.chat.completions.create(
        model=MODEL, messages=MESSAGES, n=3, seed=5, max_tokens=20
    )
    assert [choice.index for choice in seeded.choices] == [0, 1, 2]
    assert len({choice.message.content for choice in seeded.choices}) == 3


async def test_completions(client: openai.AsyncOpenAI) -> None:
    answer = await client.completions.create(model=MODEL, prompt="Once", seed=3, max_tokens=30)
    text = answer.choices[0].text
    assert answer.usage and answer.usage.prompt_tokens == 5
    relaxed = client.with_options()
    relaxed._strict_response_validation = False  # it wants a finish reason in every chunk
    chunks = await relaxed.completions.create(
        model=MODEL, prompt="Once", seed=3, max_tokens=30, stream=True
    )
    assert "".join([chunk.choices[0].text async for chunk in chunks]) == text
    both = await client.completions.create(
        model=MODEL, prompt=["Once", "Twice"], temperature=0, max_tokens=5
    )
    assert [choice.index for choice in both.choices] == [0, 1]


async def test_a_stop_string_cuts_the_same_text(client: openai.AsyncOpenAI) -> None:
    text = await whole(client, seed=1)
    stop = text[10:14]
    answer = await client.chat.completions.create(
        model=MODEL, messages=MESSAGES, seed=1, max_tokens=40, stop=[stop], extra_body=NO_END
    )
    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].message.content == text[: text.index(stop)]


async def test_a_repeated_prompt_is_found_in_the_cache(client: openai.AsyncOpenAI) -> None:
    text = "A long beginning that fills some blocks of the cache. " * 3
    await whole(client, seed=1, text=text)
    answer = await client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": text}], max_tokens=1
    )
    assert answer.usage and answer.usage.prompt_tokens_details
    assert (answer.usage.prompt_tokens_details.cached_tokens or 0) > len(text) // 2


async def test_errors_are_the_client_s_own_types(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        await client.chat.completions.create(model="other", messages=MESSAGES)
    assert missing.value.code == "model_not_found"
    assert missing.value.request_id
    with pytest.raises(openai.BadRequestError) as long:
        await client.completions.create(model=MODEL, prompt="x" * 600)
    assert long.value.code == "context_length_exceeded"
    with pytest.raises(openai.BadRequestError) as unsupported:
        await client.chat.completions.create(
            model=MODEL, messages=MESSAGES, modalities=["text", "audio"]
        )
    assert unsupported.value.param == "modalities"


async def test_models(client: openai.AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == list(NAMES)
    assert (await client.models.retrieve(MODEL)).owned_by == "sterna"


async def test_a_stream_that_is_left_frees_its_blocks(client: openai.AsyncOpenAI, url: str) -> None:
    stream = await client.chat.completions.create(
        model=MODEL, messages=MESSAGES, stream=True, extra_body=NO_END
    )
    async for _ in stream:
        break
    await stream.close()
    async with httpx.AsyncClient(base_url=url, timeout=LIMIT_SECONDS) as reader:
        while True:
            response = await reader.get("/metrics")
            samples = {
                sample.name: sample.value
                for family in text_string_to_metric_families(response.text)
                for sample in family.samples
            }
            if samples["sterna:kv_cache_blocks_used"] == 0:
                break
    assert samples["vllm:num_requests_running"] == 0
