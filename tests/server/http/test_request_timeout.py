"""A request that takes too long ends with an error that nobody repeats, and leaves the engine."""

from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import openai
import pytest

from sterna.engine import AsyncEngine
from sterna.server.generation import generator
from sterna.server.http.dependencies import Services
from sterna.server.settings import Settings
from tests.server.scraped import value
from tests.server.scripted import (
    BATCH_REQUESTS,
    LIMIT_SECONDS,
    NEVER_SECONDS,
    ScriptedModel,
    babbles,
    make_settings,
)
from tests.server.waiting import is_empty, until

BODY: dict[str, Any] = {"model": "scripted", "prompt": "Once", "max_tokens": 20}
URL = "/v1/completions"


@pytest.fixture
def settings(folder: Path) -> Settings:
    return make_settings(folder, request_timeout=NEVER_SECONDS)


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """All but 0.3 seconds of the limit have gone by when a request comes; undo: none have."""
    monkeypatch.setattr(generator, "monotonic", lambda: monotonic() + NEVER_SECONDS - 0.3)
    return monkeypatch


@pytest.fixture(autouse=True)
def closed_model(model: ScriptedModel) -> None:
    model.reply = babbles()
    model.is_open = False


def num_aborted(services: Services) -> float:
    return value(services, "vllm:request_success_total", finished_reason="abort") or 0


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("num_steps", [1, 3])
async def test_it_ends_and_frees_its_place(
    base_url: str, engine: AsyncEngine, model: ScriptedModel, services: Services,
    stream: bool, num_steps: int,
) -> None:  # fmt: skip
    model.allow(num_steps)
    async with httpx.AsyncClient(base_url=base_url, timeout=LIMIT_SECONDS) as client:
        response = await client.post(URL, json=BODY | {"stream": stream, "n": 2})
    assert response.status_code == (200 if stream else 408)
    assert '"type": "timeout_error"' in response.text
    assert "[DONE]" not in response.text
    await until(lambda: services.admission.num_taken == 0)
    await until(lambda: num_aborted(services) == 2)
    model.allow()  # the step in flight
    await until(lambda: is_empty(engine.stats()))


async def test_time_in_the_queue_counts(
    base_url: str, engine: AsyncEngine, model: ScriptedModel, hurry: pytest.MonkeyPatch
) -> None:
    async with httpx.AsyncClient(base_url=base_url, timeout=LIMIT_SECONDS) as client:
        body = BODY | {"prompt": ["x"] * (BATCH_REQUESTS + 2)}
        response = await client.post(URL, json=body)
        assert response.status_code == 408
        hurry.undo()
        model.is_open = True
        model.allow()
        await until(lambda: is_empty(engine.stats()))
        assert (await client.post(URL, json=BODY)).status_code == 200


@pytest.mark.usefixtures("hurry")
async def test_the_openai_client_does_not_repeat_it(base_url: str, model: ScriptedModel) -> None:
    async with openai.AsyncOpenAI(
        base_url=f"{base_url}/v1", api_key="x", max_retries=3, timeout=LIMIT_SECONDS
    ) as client:
        with pytest.raises(openai.APIStatusError) as caught:
            await client.completions.create(model="scripted", prompt="Once")
    assert caught.value.status_code == 408
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert caught.value.response.request.headers["x-stainless-retry-count"] == "0"
    model.is_open = True
    model.allow()
