"""The framing of a stream, as the openai client reads it."""

import asyncio
from collections.abc import AsyncGenerator

import httpx
import pytest
from fastapi import FastAPI, Response
from pydantic import BaseModel
from sse_starlette import ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Message

from sterna.engine import GenerationError
from sterna.server.dialects.openai import DataEvents
from sterna.server.http.sse import event_stream
from tests.server.scripted import LIMIT_SECONDS, NEVER_SECONDS


class Piece(BaseModel):
    text: str


class ListenedTo(DataEvents):
    """Tells that it has pinged."""

    def __init__(self) -> None:
        self.pinged = asyncio.Event()

    def ping(self) -> ServerSentEvent:
        self.pinged.set()
        return super().ping()


async def stream(
    chunks: AsyncGenerator[BaseModel],
    ping_seconds: float = NEVER_SECONDS,
    form: DataEvents | None = None,
) -> httpx.Response:
    app = FastAPI()

    def answer() -> Response:
        return event_stream(chunks, form or DataEvents(), ping_seconds, NEVER_SECONDS)

    app.add_api_route("/", answer, response_model=None)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        return await client.get("/")


async def test_events_end_at_blank_lines_and_the_last_says_done() -> None:
    async def chunks() -> AsyncGenerator[BaseModel]:
        yield Piece(text="a\n\nb\r\u2028é")
        yield Piece(text="")

    response = await stream(chunks())
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-accel-buffering"] == "no"
    assert response.content.decode() == (
        'data: {"text":"a\\n\\nb\\r\u2028é"}\n\ndata: {"text":""}\n\ndata: [DONE]\n\n'
    )


async def test_an_error_is_the_last_event() -> None:
    async def chunks() -> AsyncGenerator[BaseModel]:
        yield Piece(text="a")
        raise GenerationError("the output is not finite")

    *_, last, rest = (await stream(chunks())).text.split("\n\n")
    assert rest == ""
    assert last == (
        'data: {"error": {"message": "the output is not finite", "type": "server_error", '
        '"param": null, "code": "generation_failed"}}'
    )


async def test_silence_is_filled_with_comments() -> None:
    form = ListenedTo()

    async def chunks() -> AsyncGenerator[BaseModel]:
        await asyncio.wait_for(form.pinged.wait(), LIMIT_SECONDS)
        yield Piece(text="a")

    lines = (await stream(chunks(), 0.01, form)).text.split("\n\n")
    assert lines[0] == ": ping"
    assert lines[-3:] == ['data: {"text":"a"}', "data: [DONE]", ""]


@pytest.mark.parametrize("num_chunks", [0, 1])
async def test_chunks_are_closed_when_nobody_reads_them(num_chunks: int) -> None:
    closed = asyncio.Event()

    async def chunks() -> AsyncGenerator[BaseModel]:
        try:
            for _ in range(num_chunks):
                yield Piece(text="a")
            await asyncio.sleep(LIMIT_SECONDS)
        finally:
            closed.set()

    response = event_stream(chunks(), DataEvents(), NEVER_SECONDS, NEVER_SECONDS)
    left = asyncio.Event()

    async def receive() -> dict[str, str]:
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        asyncio.get_running_loop().call_later(0.01, left.set)

    await response({"type": "http", "method": "POST"}, receive, send)
    assert closed.is_set()


async def test_a_client_that_reads_nothing_is_dropped() -> None:
    closed = asyncio.Event()

    async def chunks() -> AsyncGenerator[BaseModel]:
        try:
            while True:
                yield Piece(text="a")
        finally:
            closed.set()

    async def receive() -> dict[str, str]:
        await asyncio.sleep(LIMIT_SECONDS)
        raise AssertionError

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.sleep(LIMIT_SECONDS)

    response = event_stream(chunks(), DataEvents(), NEVER_SECONDS, send_timeout_seconds=0.02)
    with pytest.raises(SendTimeoutError):
        await response({"type": "http", "method": "POST"}, receive, send)
    assert closed.is_set()
