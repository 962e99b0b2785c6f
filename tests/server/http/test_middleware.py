"""Every response carries an id, and every request leaves a line in the log."""

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sse_starlette.sse import SendTimeoutError
from starlette.types import Message

from sterna.server.http.dependencies import Services
from sterna.server.settings import Settings
from tests.server.scripted import LIMIT_SECONDS, ScriptedModel, make_settings
from tests.server.waiting import until

BODY = {"model": "scripted", "prompt": "Once"}


@pytest.fixture
def settings(folder: Path) -> Settings:
    return make_settings(folder, max_body_bytes=4096)


@pytest.mark.parametrize("given", ["abc-123", "!" * 128])
async def test_an_id_comes_back(client: httpx.AsyncClient, given: str) -> None:
    for url in ("/health/live", "/nothing"):
        response = await client.get(url, headers={"x-request-id": given})
        assert response.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "two words", "x" * 129, "tab\tbed", "\xe9"])
async def test_an_id_that_is_none_is_replaced(client: httpx.AsyncClient, given: str) -> None:
    headers = [(b"x-request-id", given.encode("latin-1"))]
    response = await client.get("/health/live", headers=headers)
    assert len(response.headers["x-request-id"]) == 32


async def test_streams_have_an_id_too(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/completions", json=BODY | {"stream": True})
    assert response.headers["x-request-id"]


def logged(caplog: pytest.LogCaptureFixture) -> dict[str, object]:
    (record,) = [r for r in caplog.records if r.name == "sterna.server.http.middleware"]
    fields: dict[str, object] = dict(record.__dict__["fields"])
    for name in ("seconds", "queue_seconds", "first_token_seconds"):
        seconds = fields.pop(name, 0.0)
        assert isinstance(seconds, float) and seconds >= 0
    return fields


@pytest.mark.parametrize("stream", [False, True])
async def test_a_request_is_logged_once_it_has_ended(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, stream: bool
) -> None:
    """With its counts and times, and without a word of what was said."""
    caplog.set_level(logging.INFO, "sterna.server.http.middleware")
    body = BODY | {"stream": stream, "n": 2, "prompt": "Once upon a time"}
    await client.post("/v1/completions", json=body, headers={"x-request-id": "mine"})
    await client.get("/health/live")  # would drown the others
    (record,) = [r for r in caplog.records if r.name == "sterna.server.http.middleware"]
    times = [record.__dict__["fields"][f"{name}seconds"] for name in ("queue_", "first_token_", "")]
    assert 0 < times[0] <= times[1] <= times[2]
    assert logged(caplog) == {
        "request_id": "mine", "method": "POST", "path": "/v1/completions",
        "route": "/v1/completions", "status": 200, "model": "scripted", "prompt_tokens": 17,
        "cached_tokens": 0, "output_tokens": 2 * len("Hello there!") + 2, "finish_reason": "stop",
    }  # fmt: skip
    assert "Once" not in caplog.text and "Hello" not in caplog.text


async def test_a_stream_that_is_left_is_logged_with_what_it_cost(
    base_url: str, model: ScriptedModel, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sterna.server.http.middleware")
    model.is_open = False
    model.allow(5)
    async with httpx.AsyncClient(base_url=base_url, timeout=LIMIT_SECONDS) as client:
        body = BODY | {"stream": True}
        async with client.stream("POST", "/v1/completions", json=body) as response:
            async for line in response.aiter_lines():
                if line.startswith("data:"):  # pieces that come together are one
                    break
    await until(lambda: any(r.getMessage() == "request" for r in caplog.records))
    model.is_open = True
    model.allow(100)
    fields = logged(caplog)
    assert (fields["status"], fields["finish_reason"]) == (200, "abort")
    assert 1 <= int(str(fields["output_tokens"])) <= 5


@pytest.mark.parametrize(
    ("method", "url", "content", "status"),
    [("GET", "/nothing", b"", 404), ("PUT", "/v1/models", b"", 405),
     ("POST", "/v1/completions", b"{", 400), ("POST", "/v1/completions", b" " * 5000, 413)],
)  # fmt: skip
async def test_refusals_are_logged_and_have_an_id(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture,
    method: str, url: str, content: bytes, status: int,
) -> None:  # fmt: skip
    caplog.set_level(logging.INFO, "sterna.server.http.middleware")
    headers = {"content-type": "application/json", "x-request-id": "mine"}
    response = await client.request(method, url, content=content, headers=headers)
    assert response.headers["x-request-id"] == "mine"
    assert (response.status_code, logged(caplog)["status"]) == (status, status)


async def test_a_client_that_reads_nothing_costs_one_line_and_no_place(
    app: FastAPI, client: httpx.AsyncClient, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    body = json.dumps(BODY | {"stream": True}).encode()
    messages: Iterator[Message] = iter([{"type": "http.request", "body": body}])

    async def receive() -> Message:
        for message in messages:
            return message
        await asyncio.sleep(LIMIT_SECONDS)
        raise AssertionError

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            raise SendTimeoutError

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/v1/completions", "headers": headers}
    await app(scope | {"query_string": b""}, receive, send)
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert warnings == ["client disconnected: it did not read its stream"]
    assert services.admission.num_taken == 0
