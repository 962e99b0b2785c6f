"""Where descriptors run out, who makes us wait longest leaves, and the log says so once."""

import asyncio
import errno
import logging
import resource
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from sterna.server.http import crowd, listener
from sterna.server.http.crowd import AcceptFailures, max_connections
from tests.server.http.wire import HEAD, Wire
from tests.server.scripted import LIMIT_SECONDS
from tests.server.serving import serve

MOST = 4


@pytest.fixture
async def base_url(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    monkeypatch.setattr(listener, "max_connections", lambda: MOST)
    async with serve(app) as url:
        yield url


@pytest.mark.parametrize("begun", [b"", b"GET /", HEAD + b"content-length: 9\r\n\r\n{"])
async def test_the_longest_idle_make_room(base_url: str, begun: bytes) -> None:
    idle = [Wire(base_url) for _ in range(3 * MOST)]
    async with httpx.AsyncClient(base_url=base_url, timeout=LIMIT_SECONDS) as client:
        for wire in idle:
            await wire.__aenter__()
            await wire.send(begun)
        assert (await client.get("/health")).status_code == 200
    for wire in idle[:MOST]:
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await wire.answer()
    for wire in idle:
        wire.writer.close()


def test_the_limit_is_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, most in ((1024, 960), (10, 16), (resource.RLIM_INFINITY, crowd.MAX_CONNECTIONS)):
        monkeypatch.setattr(resource, "getrlimit", lambda kind, limit=limit: (limit, limit))
        assert max_connections() == most


async def test_failures_to_accept_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    loop, handle = asyncio.get_running_loop(), AcceptFailures()
    caplog.set_level(logging.ERROR)
    for _ in range(2000):
        handle(loop, {"message": "accept", "exception": OSError(errno.EMFILE, "Too many files")})
    (record,) = caplog.records
    assert "ulimit -n" in record.getMessage()
    assert record.exc_info is None
    handle(loop, {"message": "another matter", "exception": OSError(errno.EIO, "bad")})
    assert len(caplog.records) == 2
