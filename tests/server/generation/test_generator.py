"""One stream for all sequences of a job, which never waits for its reader and owns its work."""

import asyncio
from contextlib import aclosing
from time import monotonic

import pytest

from sterna.engine import AsyncEngine, GenerationError, SamplingParams
from sterna.server.errors import UnavailableError
from sterna.server.generation.job import GenerationJob
from sterna.server.generation.text_delta import collect
from sterna.server.http.dependencies import Services
from tests.server.scraped import value
from tests.server.scripted import SPECIAL, ScriptedModel, babbles, ids_of
from tests.server.waiting import is_empty, num_submitted, until


@pytest.fixture
async def engine(engine: AsyncEngine, model: ScriptedModel) -> AsyncEngine:
    engine.start()
    return engine


def job(
    *prompts: str, max_tokens: int = 50, n: int = 1, stops: tuple[str, ...] = ()
) -> GenerationJob:
    ids = [ids_of(prompt) for prompt in prompts]
    return GenerationJob(ids, SamplingParams(max_tokens, seed=7), n, stops, monotonic())


async def test_a_reader_that_sleeps_gets_one_delta(
    services: Services, engine: AsyncEngine, model: ScriptedModel
) -> None:
    model.reply, model.is_open = babbles(), False
    model.allow()
    async with aclosing(services.generator.stream(job("x"))) as deltas:
        first = await anext(deltas)
        model.is_open = True
        model.allow()
        await until(lambda: value(services, "vllm:generation_tokens_total") == 50)
        (rest,) = [delta async for delta in deltas]
    assert first.text + rest.text == "abcdefghij" * 5
    assert first.num_tokens + rest.num_tokens == 50


async def test_every_choice_of_every_prompt_has_its_index(
    services: Services, engine: AsyncEngine, model: ScriptedModel
) -> None:
    model.reply = lambda prompt, params: [
        *prompt, *ids_of(f"-{params.seed}"), SPECIAL.end_of_text
    ]  # fmt: skip
    answers = await collect(services.generator.stream(job("a", "b", n=2)))
    assert [answer.index for answer in answers] == [0, 1, 2, 3]
    assert [answer.text for answer in answers] == ["a-7", "a-6", "b-7", "b-6"]


async def test_a_closed_stream_leaves_nothing_behind(
    services: Services, engine: AsyncEngine, model: ScriptedModel
) -> None:
    model.reply = babbles()
    deltas = services.generator.stream(job("a", "b", n=3))
    await anext(deltas)
    await deltas.aclose()
    await until(lambda: num_submitted(engine) == 0)
    await until(lambda: is_empty(engine.stats()))


async def test_a_stop_string_ends_the_work_too(
    services: Services, engine: AsyncEngine, model: ScriptedModel
) -> None:
    model.reply = babbles()
    model.is_open = False
    model.allow(len("abcdefghijab"))
    (answer,) = await collect(services.generator.stream(job("x", stops=("ijab",))))
    assert (answer.text, answer.finish_reason) == ("abcdefgh", "stop")
    assert answer.num_tokens == len("abcdefghijab")
    model.allow()  # the step in flight
    await until(lambda: is_empty(engine.stats()))
    assert len(model.steps) <= answer.num_tokens + 1


async def test_a_half_stop_string_is_given_out_at_the_end(
    services: Services, engine: AsyncEngine, model: ScriptedModel
) -> None:
    model.reply = babbles()
    (answer,) = await collect(services.generator.stream(job("x", max_tokens=4, stops=("defg",))))
    assert (answer.text, answer.finish_reason) == ("abcd", "length")


async def test_one_failure_ends_the_job_and_no_other(
    services: Services, engine: AsyncEngine, model: ScriptedModel
) -> None:
    good = ids_of("fine") * 20
    model.reply = lambda prompt, params: [-1] if prompt == ids_of("bad") else good
    other = asyncio.create_task(collect(services.generator.stream(job("good"))))
    with pytest.raises(GenerationError):
        await collect(services.generator.stream(job("good", "bad")))
    assert (await other)[0].text == ("fine" * 20)[:50]
    await until(lambda: is_empty(engine.stats()))


async def test_a_stream_that_begins_after_the_end_of_all_ends_too(
    services: Services, engine: AsyncEngine, model: ScriptedModel
) -> None:
    """Its prompt was still being encoded when all were told."""
    model.reply, model.is_open = babbles(), False
    services.generator.end_all(UnavailableError("The server is stopping."))
    with pytest.raises(UnavailableError, match="stopping"):
        await collect(services.generator.stream(job("x")))
    model.allow()
