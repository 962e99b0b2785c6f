"""Fields that change what is written do so, and every name of the model is served."""

import openai

from tests.server.client.asking import LIMIT, NAMES, chat, complete, tokens_of


async def test_a_bias_forces_and_bans_tokens(client: openai.AsyncOpenAI, url: str) -> None:
    letter = (await tokens_of(url, "x"))[-1]
    forced = await chat(client, logit_bias={str(letter): 100})
    assert forced.choices[0].message.content == "x" * LIMIT
    free = await chat(client, extra={"return_token_ids": True})
    first = free.choices[0].token_ids[0]
    banned = await chat(client, logit_bias={str(first): -100}, extra={"return_token_ids": True})
    assert first not in banned.choices[0].token_ids


async def test_stop_tokens_end_an_answer_but_not_too_early(client: openai.AsyncOpenAI) -> None:
    ids: list[int] = (await chat(client, extra={"return_token_ids": True})).choices[0].token_ids
    extra = {"stop_token_ids": [ids[3]], "return_token_ids": True}
    stopped = (await chat(client, extra=extra)).choices[0]
    assert stopped.token_ids == ids[: ids.index(ids[3]) + 1]
    assert (stopped.finish_reason, stopped.stop_reason) == ("stop", ids[3])
    later = (await chat(client, extra=extra | {"min_tokens": 10})).choices[0]
    assert len(later.token_ids) >= 10
    assert ids[3] not in later.token_ids[:10]


async def test_the_stop_string_is_told_and_may_be_kept(
    client: openai.AsyncOpenAI, letters: dict[str, int]
) -> None:
    text = (await chat(client, logit_bias=letters)).choices[0].message.content or ""
    stop = text[5:7]
    cut = (await chat(client, logit_bias=letters, stop=["zzz", stop])).choices[0]
    assert cut.message.content == text[: text.index(stop)]
    assert cut.stop_reason == stop
    extra = {"include_stop_str_in_output": True}
    kept = (await chat(client, logit_bias=letters, stop=[stop], extra=extra)).choices[0]
    assert kept.message.content == text[: text.index(stop) + len(stop)]


async def test_penalties_change_what_is_written(
    client: openai.AsyncOpenAI, letters: dict[str, int]
) -> None:
    plain = (await chat(client, logit_bias=letters)).choices[0].message.content
    for fields in (
        {"presence_penalty": 2},
        {"frequency_penalty": 2},
        {"extra": {"repetition_penalty": 2}},
    ):
        answer = await chat(client, logit_bias=letters, **fields)
        assert answer.choices[0].message.content != plain


async def test_every_name_is_served_and_repeated(client: openai.AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == list(NAMES)
    for name in NAMES:
        assert (await client.models.retrieve(name)).id == name
        assert (await chat(client, model=name)).model == name
        assert (await complete(client, model=name)).model == name
