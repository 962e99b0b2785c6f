"""Every response carries an id, and every request leaves a line in the log."""

import asyncio
import json
import logging
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI
from sse_starlette.sse import SendTimeoutError
from starlette.types import Message

from server.dependencies import Services
from tests.server.scripted import LIMIT_SECONDS

BODY = {"model": "scripted", "prompt": "Once"}


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


async def test_a_request_is_logged_once_it_has_ended(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "server.middleware")
    await client.post("/v1/completions", json=BODY, headers={"x-request-id": "mine"})
    await client.get("/health/live")  # would drown the others
    (record,) = [r for r in caplog.records if r.name == "server.middleware"]
    fields = record.__dict__["fields"]
    assert fields.pop("seconds") >= 0
    assert fields == {
        "request_id": "mine", "method": "POST", "path": "/v1/completions", "status": 200
    }  # fmt: skip


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
    assert warnings == ["client dropped: it left its stream unread"]
    assert services.admission.num_taken == 0
