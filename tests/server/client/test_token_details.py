"""What answers tell of their tokens, in chat and in completions, streamed and whole."""

from itertools import pairwise
from typing import Any

import openai
import pytest
from openai.types.chat.chat_completion_token_logprob import ChatCompletionTokenLogprob

from tests.server.client.asking import LIMIT, PROMPT, chat, complete, tokens_of


def entries(choice: Any) -> list[ChatCompletionTokenLogprob]:
    """Logprobs of a chat choice, whole or of a chunk."""
    content = choice.logprobs.content if choice.logprobs else None
    return list(content or [])


async def test_a_greedy_answer_has_the_best_token_everywhere(client: openai.AsyncOpenAI) -> None:
    answer = await chat(client, logprobs=True, top_logprobs=3)
    listed = entries(answer.choices[0])
    assert len(listed) == LIMIT
    for entry in listed:
        assert entry.logprob <= 0
        assert len(entry.top_logprobs) == 3
        best = entry.top_logprobs[0]
        assert (best.token, best.logprob, best.bytes) == (entry.token, entry.logprob, entry.bytes)
        assert all(a.logprob >= b.logprob for a, b in pairwise(entry.top_logprobs))


async def test_no_alternatives_unless_asked_for(client: openai.AsyncOpenAI) -> None:
    (choice,) = (await chat(client, logprobs=True)).choices
    assert all(entry.top_logprobs == [] for entry in entries(choice))
    (choice,) = (await chat(client)).choices
    assert choice.logprobs is None


@pytest.mark.parametrize("fields", [{}, {"temperature": 1.5, "seed": 4}, {"stop": ["a", "e"]}])
async def test_a_stream_of_chat_tells_the_same(
    client: openai.AsyncOpenAI, fields: dict[str, Any]
) -> None:
    asked = {"logprobs": True, "top_logprobs": 2, "n": 2, "extra": {"return_token_ids": True}}
    whole = await chat(client, **asked, **fields)
    stream = await chat(client, **asked, **fields, stream=True)
    texts = ["", ""]
    listed: list[list[Any]] = [[], []]
    ids: list[list[int]] = [[], []]
    prompts = []
    async for chunk in stream:
        prompts.append(getattr(chunk, "prompt_token_ids", None))
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
            listed[choice.index] += entries(choice)
            ids[choice.index] += getattr(choice, "token_ids", None) or []
    assert texts == [choice.message.content for choice in whole.choices]
    assert listed == [entries(choice) for choice in whole.choices]
    assert ids == [choice.token_ids for choice in whole.choices]
    assert whole.usage and sum(map(len, listed)) == whole.usage.completion_tokens
    assert prompts[0] == whole.prompt_token_ids
    assert prompts[1:] == [None] * len(prompts[1:])


async def test_completions_list_tokens_with_their_places(
    client: openai.AsyncOpenAI, letters: dict[str, int]
) -> None:
    answer = await complete(client, logprobs=2, temperature=1, seed=3, logit_bias=letters)
    (choice,) = answer.choices
    listed = choice.logprobs
    assert "".join(listed.tokens) == choice.text
    assert listed.text_offset == list(range(LIMIT))  # a letter each
    assert len(listed.token_logprobs) == len(listed.top_logprobs) == LIMIT
    for token, logprob, top in zip(
        listed.tokens, listed.token_logprobs, listed.top_logprobs, strict=True
    ):
        assert top[token] == logprob
        assert 2 <= len(top) <= 3


async def test_a_stream_of_completions_tells_the_same(relaxed: openai.AsyncOpenAI) -> None:
    asked: dict[str, Any] = {"logprobs": 2, "echo": True, "n": 2, "seed": 3, "temperature": 1}
    asked |= {"prompt": [PROMPT, "Twice"], "extra": {"return_token_ids": True}}
    whole = await complete(relaxed, **asked)
    stream = await complete(relaxed, **asked, stream=True)
    choices: list[dict[str, Any]] = [{} for _ in whole.choices]
    async for chunk in stream:
        for choice in chunk.choices:
            _add(choices[choice.index], choice.model_dump())
    for streamed, choice in zip(choices, whole.choices, strict=True):
        expected = choice.model_dump()
        assert streamed.keys() == expected.keys()
        assert streamed == expected


def _add(total: dict[str, Any], piece: dict[str, Any]) -> None:
    """Put a chunk to those before: texts and lists grow, the rest is the last that was said."""
    for name, value in piece.items():
        earlier = total.get(name)
        if name == "index" or earlier is None:
            total[name] = value
        elif isinstance(value, dict):
            _add(earlier, value)
        elif value is not None:
            total[name] = earlier + value


async def test_logprobs_are_the_model_s_own(client: openai.AsyncOpenAI, url: str) -> None:
    """A bias changes what is written, and not how likely the model finds it."""
    letter = (await tokens_of(url, "x"))[-1]
    free = await chat(client, max_tokens=1, logprobs=True, top_logprobs=20)
    forced = await chat(
        client, max_tokens=1, logprobs=True, top_logprobs=20, logit_bias={str(letter): 100}
    )
    (before,), (after,) = entries(free.choices[0]), entries(forced.choices[0])
    assert after.token == "x"
    assert after.top_logprobs == before.top_logprobs
    assert after.logprob < before.logprob


async def test_every_chunk_may_have_usage(client: openai.AsyncOpenAI) -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    stream = await chat(client, stream=True, stream_options=options)
    counts = [chunk.usage.completion_tokens async for chunk in stream]
    assert counts == sorted(counts)
    assert counts[0] >= 1 and counts[-1] == LIMIT
    assert len(counts) > 2
