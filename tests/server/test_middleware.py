"""Every response carries an id, and every request leaves a line in the log."""

import logging

import httpx
import pytest

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
