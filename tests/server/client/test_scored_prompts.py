"""Logprobs of prompts, as lm-eval asks for them and as vLLM gives them."""

import openai

from tests.server.client.asking import PROMPT, chat, complete, tokens_of


async def test_an_echo_scores_the_prompt(relaxed: openai.AsyncOpenAI, url: str) -> None:
    """What lm-eval asks: token ids, one token more, and whether the prompt was greedy."""
    prompts = [await tokens_of(url, text) for text in (PROMPT, "Hi")]
    answer = await complete(relaxed, prompt=prompts, echo=True, logprobs=1, max_tokens=1)
    for choice, prompt, text in zip(answer.choices, prompts, (PROMPT, "Hi"), strict=True):
        listed = choice.logprobs
        assert len(listed.token_logprobs) == len(prompt) + 1
        assert listed.token_logprobs[0] is None and listed.top_logprobs[0] is None
        for logprob, top in list(zip(listed.token_logprobs, listed.top_logprobs, strict=True))[1:]:
            assert logprob <= max(top.values())
        assert listed.token_logprobs[-1] == max(listed.top_logprobs[-1].values())  # greedy
        assert choice.text.startswith(text)
        assert listed.text_offset == [0, *range(len(text) + 1)]


async def test_the_prompt_may_be_scored_alone(relaxed: openai.AsyncOpenAI, url: str) -> None:
    prompt = await tokens_of(url, PROMPT)
    alone = await complete(relaxed, prompt=prompt, echo=True, logprobs=2, max_tokens=0)
    both = await complete(relaxed, prompt=prompt, echo=True, logprobs=2, max_tokens=1)
    scored, more = alone.choices[0].logprobs, both.choices[0].logprobs
    assert scored.token_logprobs == more.token_logprobs[:-1]
    assert scored.top_logprobs == (more.top_logprobs or [])[:-1]
    assert (alone.choices[0].text, alone.choices[0].finish_reason) == (PROMPT, "length")
    assert alone.usage and alone.usage.completion_tokens == 0
    silent = await complete(relaxed, prompt=prompt, echo=True, max_tokens=0)
    assert (silent.choices[0].text, silent.choices[0].logprobs) == (PROMPT, None)


async def test_a_repeated_prompt_is_scored_all_the_same(relaxed: openai.AsyncOpenAI) -> None:
    """Blocks found in the cache have no logits: they must not shorten the list."""
    asked = {"prompt": PROMPT * 8, "echo": True, "logprobs": 1, "max_tokens": 1}
    first, second = [await complete(relaxed, **asked) for _ in range(2)]
    assert first.choices == second.choices


async def test_prompt_logprobs_in_vllm_s_shape(client: openai.AsyncOpenAI, url: str) -> None:
    extra = {"prompt_logprobs": 2, "return_token_ids": True}
    answer = await complete(client, max_tokens=1, n=2, seed=1, extra=extra)
    prompt = await tokens_of(url, PROMPT)
    for choice in answer.choices:
        scores = choice.prompt_logprobs
        assert choice.prompt_token_ids == prompt
        assert scores[0] is None
        for token_id, score in zip(prompt[1:], scores[1:], strict=True):
            assert score[str(token_id)].keys() == {"logprob", "rank", "decoded_token"}
            assert 2 <= len(score) <= 3
            ranks = {entry["rank"]: entry["logprob"] for entry in score.values()}
            assert sorted(ranks)[:2] == [1, 2] and len(ranks) == len(score)
            assert sorted(ranks.values(), reverse=True) == [ranks[rank] for rank in sorted(ranks)]
    conversation = await chat(client, max_tokens=1, extra=extra)
    assert len(conversation.prompt_logprobs) == len(conversation.prompt_token_ids)
    plain = await chat(client, max_tokens=1)
    assert "prompt_logprobs" not in plain.model_dump()


async def test_both_ways_to_score_a_prompt_agree(relaxed: openai.AsyncOpenAI, url: str) -> None:
    prompt = await tokens_of(url, PROMPT)
    echoed = await complete(
        relaxed, prompt=prompt, echo=True, logprobs=1, max_tokens=0, extra={"prompt_logprobs": 3}
    )
    listed = echoed.choices[0].logprobs
    scores = echoed.choices[0].prompt_logprobs
    for token_id, logprob, score in zip(prompt, listed.token_logprobs, scores, strict=True):
        assert logprob == (score and score[str(token_id)]["logprob"])
    assert all(len(top) <= 2 for top in listed.top_logprobs or () if top)
    assert max(map(len, filter(None, scores))) >= 3
