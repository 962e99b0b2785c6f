"""The queue is bounded, refuses before any work, and forgets no place."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sterna.server.errors import BusyError, InvalidRequestError
from sterna.server.http import admission
from sterna.server.http.admission import Admission
from sterna.server.http.dependencies import Services
from sterna.server.settings import Settings
from tests.server.scraped import value
from tests.server.scripted import MAX_CONTEXT, ScriptedModel, make_settings
from tests.server.waiting import until

BODY: dict[str, Any] = {"model": "scripted", "prompt": "Once"}
CAPACITY = 4 + 8  # as in make_settings


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    now = [1000.0]
    monkeypatch.setattr(admission, "monotonic", lambda: now[0])
    yield now


def make(num_running: int, num_waiting: int, max_bytes: int = 100) -> Admission:
    return Admission(num_running, num_waiting, on_refusal=lambda count: None, max_bytes=max_bytes)


def test_places_are_taken_all_or_none() -> None:
    places = make(2, 3)
    with places.open() as first:
        first.take(4)
        with places.open() as second:
            with pytest.raises(BusyError):
                second.take(2)
            assert places.num_taken == 4
            second.take(1)
        assert places.num_taken == 4
    assert places.num_taken == 0


def test_what_can_never_fit_is_an_error_of_the_client() -> None:
    with make(2, 3).open() as reservation, pytest.raises(InvalidRequestError) as caught:
        reservation.take(6)
    assert caught.value.param == "n"


def test_text_is_bounded_in_bytes_but_one_body_always_fits() -> None:
    places = make(2, 3, max_bytes=100)
    with places.body() as large, places.body() as small:
        large.hold(50)
        large.hold(101)
        with pytest.raises(BusyError):
            small.hold(1)
        assert places.num_bytes == 101
    with places.body() as first, places.body() as second:
        first.hold(60)
        second.hold(40)
        assert places.num_bytes == 100
    assert places.num_bytes == 0


def test_retry_after_is_the_backlog_at_the_rate_of_late(clock: list[float]) -> None:
    places = make(1, 20)
    clock[0] += 3600  # idle time says nothing
    with places.open() as reservation:
        reservation.take(11)
        for _ in range(9):  # one every two seconds
            with places.open() as other:
                other.take(1)
                clock[0] += 2
        assert places.retry_seconds() == 18  # ten wait; 9 releases and one that is due in 18 s


def test_retry_after_is_between_1_and_60_seconds(clock: list[float]) -> None:
    places = make(1, 200)
    with places.open() as reservation:
        reservation.take(200)
        assert places.retry_seconds() == 1
        clock[0] += 100
        assert places.retry_seconds() == 60


@pytest.mark.parametrize("url", ["/v1/completions", "/v1/chat/completions"])
async def test_a_full_queue_refuses_with_429(
    client: httpx.AsyncClient, model: ScriptedModel, services: Services, url: str
) -> None:
    model.is_open = False
    held = [asyncio.create_task(client.post("/v1/completions", json=BODY)) for _ in range(CAPACITY)]
    await until(lambda: services.admission.num_taken == CAPACITY)
    too_long = "x" * MAX_CONTEXT  # which nobody finds out: it is refused before it is encoded
    fields = {"prompt": too_long}, {"messages": [{"role": "user", "content": too_long}]}
    body = {"model": "scripted", "n": 2} | fields["chat" in url]
    response = await client.post(url, json=body)
    assert response.status_code == 429
    assert 1 <= int(response.headers["retry-after"]) <= 60
    error = response.json()["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "queue_full")
    model.is_open = True
    model.allow(1000)
    assert {r.status_code for r in await asyncio.gather(*held)} == {200}
    assert services.admission.num_taken == 0
    assert value(services, "sterna:rejections_total", reason="queue_full") == 2


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("/tokenize", {"prompt": "Once"}),
        ("/detokenize", {"tokens": [1]}),
        ("/v1/messages/count_tokens", {"messages": [{"role": "user", "content": "Once"}]}),
    ],
)
async def test_counting_tokens_takes_a_place_too(
    client: httpx.AsyncClient, services: Services, url: str, body: dict[str, Any]
) -> None:
    body = {"model": "scripted"} | body
    with services.admission.open() as others:
        others.take(CAPACITY)
        response = await client.post(url, json=body)
        assert response.status_code == 429
        assert 1 <= int(response.headers["retry-after"]) <= 60
    assert (await client.post(url, json=body)).status_code == 200
    assert services.admission.num_taken == services.admission.num_bytes == 0


async def test_choices_and_prompts_count(
    client: httpx.AsyncClient, model: ScriptedModel, services: Services
) -> None:
    model.is_open = False
    body = BODY | {"n": 3, "prompt": ["a", "b", "c"]}
    task = asyncio.create_task(client.post("/v1/completions", json=body))
    await until(lambda: services.admission.num_taken == 9)
    assert (await client.post("/v1/completions", json=BODY | {"n": 4})).status_code == 429
    model.is_open = True
    model.allow(1000)
    assert len((await task).json()["choices"]) == 9
    assert services.admission.num_taken == 0


@pytest.mark.parametrize("body", [{"model": "other"}, {"prompt": [1000]}, {"max_tokens": 1000}])
async def test_a_refused_request_gives_its_places_back(
    client: httpx.AsyncClient, services: Services, body: dict[str, Any]
) -> None:
    for stream in (False, True):
        response = await client.post("/v1/completions", json=BODY | body | {"stream": stream})
        assert response.status_code in (400, 404)
        assert services.admission.num_taken == 0


class TestLittleText:
    """A queue of few bytes, and the status that some load balancers want."""

    @pytest.fixture
    def settings(self, folder: Path) -> Settings:
        return make_settings(folder, max_queued_bytes=1024, overload_status="503")

    @pytest.mark.parametrize("url", ["/v1/completions", "/v1/chat/completions"])
    async def test_it_refuses_before_it_looks_at_the_body(
        self, client: httpx.AsyncClient, model: ScriptedModel, services: Services, url: str
    ) -> None:
        model.is_open = False
        body = BODY | {"prompt": "x" * 20, "user": "y" * 900}
        held = asyncio.create_task(client.post("/v1/completions", json=body))
        await until(lambda: services.admission.num_taken == 1)
        response = await client.post(url, json={"user": "y" * 200})  # which fits no schema
        assert response.status_code == 503
        assert 1 <= int(response.headers["retry-after"]) <= 60
        assert response.json()["error"]["code"] == "queue_full"
        model.is_open = True
        model.allow(1000)
        assert (await held).status_code == 200
        assert services.admission.num_bytes == 0
