"""A request's share of the measured energy: in its usage if asked for, and in the log."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from sterna.engine import AsyncEngine
from tests.engine.energy.powercap import FakePowercap
from tests.server.metered import PACKAGE, make_metered_engine, make_tree
from tests.server.scripted import LIMIT_SECONDS, ScriptedModel

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
BODIES: dict[str, dict[str, Any]] = {
    CHAT: {"model": "scripted", "messages": [{"role": "user", "content": "Hi"}]},
    TEXT: {"model": "scripted", "prompt": "Once"},
}


@pytest.fixture
def tree(tmp_path: Path) -> FakePowercap:
    return make_tree(tmp_path)


@pytest.fixture
def engine(model: ScriptedModel, tree: FakePowercap) -> AsyncEngine:
    return make_metered_engine(model, tree)


@pytest.fixture
async def openai_client(base_url: str) -> AsyncIterator[openai.AsyncOpenAI]:
    """The strictest client there is: it validates every answer."""
    async with openai.AsyncOpenAI(
        base_url=f"{base_url}/v1",
        api_key="none",
        timeout=LIMIT_SECONDS,
        _strict_response_validation=True,
    ) as client:
        yield client


def burn(tree: FakePowercap, model: ScriptedModel, joules_per_step: int) -> None:
    """Let each step of the model take energy."""
    run, total = model.run, [0]

    def run_and_burn(batch: Any) -> Any:
        total[0] += joules_per_step * 1_000_000
        tree.set(PACKAGE, total[0])
        return run(batch)

    model.run = run_and_burn  # type: ignore[method-assign]


@pytest.mark.parametrize("url", [CHAT, TEXT])
async def test_a_whole_answer_has_its_share(
    client: httpx.AsyncClient, tree: FakePowercap, model: ScriptedModel, url: str
) -> None:
    burn(tree, model, 2)
    answer = await client.post(url, json=BODIES[url] | {"include_energy": True, "n": 2})
    energy = answer.json()["usage"]["energy"]
    assert energy["source"] == "rapl"
    assert str(tree.root) in energy["detail"]
    assert 0 < energy["joules"] <= 2 * len(model.steps)


@pytest.mark.parametrize("url", [CHAT, TEXT])
async def test_who_does_not_ask_is_told_nothing(client: httpx.AsyncClient, url: str) -> None:
    answer = await client.post(url, json=BODIES[url])
    assert "energy" not in answer.json()["usage"]


async def test_shares_of_answers_add_up_to_the_active_energy(
    client: httpx.AsyncClient, tree: FakePowercap, model: ScriptedModel, engine: AsyncEngine
) -> None:
    """Alone in the house, a request is charged with all: up to what is left when it has ended."""
    burn(tree, model, 3)
    shares = []
    for _ in range(3):
        answer = await client.post(TEXT, json=BODIES[TEXT] | {"include_energy": True})
        shares.append(answer.json()["usage"]["energy"]["joules"])
    engine.energy.meter.sample()
    (package,) = engine.energy.meter.report().domains
    assert package.joules == 3 * len(model.steps)
    active = package.joules - package.idle_joules
    assert sum(shares) == pytest.approx(active, rel=1e-9)


async def test_without_a_counter_the_share_is_unavailable_and_not_zero(
    client: httpx.AsyncClient, tree: FakePowercap
) -> None:
    tree.remove(PACKAGE)
    answer = await client.post(TEXT, json=BODIES[TEXT] | {"include_energy": True})
    energy = answer.json()["usage"]["energy"]
    assert (energy["joules"], energy["source"]) == (None, None)
    assert "No such file" in energy["detail"]


@pytest.mark.parametrize(
    "fields",
    [{"include_energy": True}, {"stream_options": {"include_energy": True}}],
    ids=["field", "option"],
)
async def test_the_openai_client_takes_it_from_a_stream(
    openai_client: openai.AsyncOpenAI,
    tree: FakePowercap,
    model: ScriptedModel,
    fields: dict[str, Any],
) -> None:
    burn(tree, model, 2)
    stream = await openai_client.chat.completions.create(
        model="scripted",
        messages=[{"role": "user", "content": "Hi"}],
        stream=True,
        extra_body=fields,
    )
    chunks = [chunk async for chunk in stream]
    usage = chunks[-1].usage
    assert usage is not None
    assert usage.model_extra is not None
    assert usage.model_extra["energy"]["joules"] > 0
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)


async def test_the_openai_client_takes_it_whole(
    openai_client: openai.AsyncOpenAI, tree: FakePowercap, model: ScriptedModel
) -> None:
    burn(tree, model, 2)
    answer = await openai_client.completions.create(
        model="scripted", prompt="Once", extra_body={"include_energy": True}
    )
    assert answer.usage is not None
    assert answer.usage.model_extra is not None
    assert answer.usage.model_extra["energy"]["source"] == "rapl"


async def test_the_log_has_the_share(
    client: httpx.AsyncClient,
    tree: FakePowercap,
    model: ScriptedModel,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "sterna.server.http.middleware")
    burn(tree, model, 2)
    await client.post(TEXT, json=BODIES[TEXT])
    (record,) = [r for r in caplog.records if r.getMessage() == "request"]
    fields = record.__dict__["fields"]
    assert fields["energy_source"] == "rapl"
    assert fields["energy_joules"] > 0


async def test_the_log_has_none_where_nothing_is_measured(
    client: httpx.AsyncClient, tree: FakePowercap, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sterna.server.http.middleware")
    tree.remove(PACKAGE)
    await client.post(TEXT, json=BODIES[TEXT])
    (record,) = [r for r in caplog.records if r.getMessage() == "request"]
    assert not any("energy" in name for name in record.__dict__["fields"])
