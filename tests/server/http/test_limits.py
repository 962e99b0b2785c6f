"""What is too large is refused as soon as that is known, by a parser that cannot overflow."""

import json
from functools import partial
from random import Random
from typing import Any

import httpx
import pytest
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from sterna.server.http.admission import Admission, HeldBody
from sterna.server.http.dependencies import Services
from sterna.server.http.limits import (
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    MAX_NESTING,
    MAX_NODES,
    JsonShape,
    LimitedBody,
    RequestLimits,
)
from tests.server.http.wire import CHUNKED, HEAD, Wire
from tests.server.scripted import LIMIT_SECONDS
from tests.server.waiting import until

TEXT = "/v1/completions"
JSON = {"content-type": "application/json"}


def nested(depth: int, inner: str = "") -> str:
    return "[" * depth + inner + "]" * depth


@pytest.mark.parametrize("depth", [MAX_NESTING, 900, 1000, 5000, 100_000])
@pytest.mark.parametrize("field", ["metadata", "prompt", "no_such_field"])
async def test_deep_nesting_is_the_client_s_error(
    client: httpx.AsyncClient, depth: int, field: str
) -> None:
    content = f'{{"model": "scripted", "prompt": "x", "{field}": {nested(depth)}}}'
    response = await client.post(TEXT, content=content, headers=JSON)
    assert response.status_code == 400
    assert f"more than {MAX_NESTING} levels" in response.json()["error"]["message"]


async def test_many_small_parts_are_the_client_s_error(client: httpx.AsyncClient) -> None:
    """Each costs far more to check than the bytes that it takes."""
    content = '{"model": "scripted", "prompt": "x", "max_tokens": 1, "metadata": {"it": [%s]}}'
    for num_nodes, status in ((MAX_NODES, 200), (MAX_NODES + 1, 400)):
        inner = ",".join(["[]"] * (num_nodes - 3))
        response = await client.post(TEXT, content=content % inner, headers=JSON)
        assert response.status_code == status
    assert f"more than {MAX_NODES}" in response.json()["error"]["message"]


async def test_brackets_in_text_nest_nothing(client: httpx.AsyncClient) -> None:
    body = {"model": "scripted", "prompt": "x", "user": '\\"' + "[{" * 1000, "max_tokens": 1}
    assert (await client.post(TEXT, json=body)).status_code == 200


def test_shape_is_found_wherever_the_text_is_cut() -> None:
    random = Random(1)

    def value(depth: int) -> Any:
        if depth == 0:
            return random.choice([1, '"', "\\", '\\"[', "{}", "[[[", None])
        other = random.choice(["]", '"', "\\\\"])
        return random.choice([[other, value(depth - 1)], {other: value(depth - 1)}])

    for _ in range(300):
        depth = random.randrange(9)
        text = json.dumps(value(depth)).encode()
        shape, start = JsonShape(), 0
        while start < len(text):
            end = start + random.choice([1, 2, 7])
            shape.read(text[start:end])
            start = end
        assert (shape.depth, shape.num_nodes) == (depth, depth), text


def holds(services: Services, num_bytes: int) -> bool:
    return services.admission.num_bytes == num_bytes


async def test_bodies_count_while_they_are_received(base_url: str, services: Services) -> None:
    """What is declared counts at once, and what comes in chunks as it comes."""
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    for head, piece, counted in (
        (HEAD + b"content-length: 4000000\r\n\r\n", b"", 4_000_000),
        (CHUNKED, chunk, 0x10000),
    ):
        async with Wire(base_url) as first, Wire(base_url) as second, Wire(base_url) as third:
            for wire in (first, second):
                await wire.send(head + piece)
            await until(partial(holds, services, 2 * counted))
            services.admission._max_bytes = 2 * counted
            await third.send(head + piece)
            status, response, body = await third.answer()
            assert (status, json.loads(body)["error"]["code"]) == (429, "queue_full")
            assert b"retry-after: " in response
            assert b"connection: close" in response
            assert await third.rest() == b""
        await until(partial(holds, services, 0))  # its senders are gone


async def test_an_unknown_url_s_body_is_not_awaited(base_url: str, services: Services) -> None:
    async with Wire(base_url) as wire:
        head = HEAD.replace(b"/v1/completions", b"/nothing")
        await wire.send(head + b"content-length: 4000000\r\n\r\n")
        assert (await wire.answer())[0] == 404
    assert services.admission.num_bytes == 0


@pytest.mark.parametrize("num_bytes", [1, 2, 3])
def test_a_string_ends_where_it_ends_though_each_piece_is_small(num_bytes: int) -> None:
    """A backslash is the last of its piece, and the quote after it the first of the next."""
    text = rb'{"\\": "\"[", "[\"": ["\\\"[{", "\\\\", {}], "\u005b": "]"}'
    shape = JsonShape()
    for start in range(0, len(text), num_bytes):
        shape.read(text[start : start + num_bytes])
    assert (shape.depth, shape.num_nodes) == (3, 3)


@pytest.mark.parametrize("headers", [[("x", "v")] * (MAX_HEADERS + 1), [("x", "v" * 70_000)]])
async def test_too_many_headers(client: httpx.AsyncClient, headers: Any) -> None:
    response = await client.get("/v1/models", headers=headers)
    assert response.status_code == 431
    assert response.json()["error"]["type"] == "invalid_request_error"
    assert response.headers["x-request-id"]


def admission() -> Admission:
    return Admission(1, 1, on_refusal=lambda count: None, max_bytes=1000)


async def status_of(*headers: tuple[bytes, bytes]) -> int:
    """What a request with these headers gets, behind the limits 200."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})

    scope = {"type": "http", "path": "/", "headers": list(headers)}
    await RequestLimits(app, 10, LIMIT_SECONDS, admission())(scope, receive, send)
    return int(sent[0]["status"])


async def test_as_much_as_the_limits_say_is_served() -> None:
    assert await status_of(*[(b"x", b"v")] * MAX_HEADERS) == 200
    assert await status_of((b"x", b"v" * (MAX_HEADER_BYTES - 1))) == 200
    assert await status_of((b"x", b"v" * MAX_HEADER_BYTES)) == 431
    assert await status_of((b"content-length", b"10")) == 200
    assert await status_of((b"content-length", b"11")) == 413


def limited(*pieces: bytes, max_bytes: int = 1000) -> LimitedBody:
    messages = iter([{"type": "http.request", "body": it, "more_body": True} for it in pieces])

    async def receive() -> Message:
        return next(messages)

    return LimitedBody(receive, HeldBody(admission()), max_bytes, LIMIT_SECONDS, declared=0)


async def test_a_body_may_be_nested_as_deep_as_the_limit_says() -> None:
    await limited(nested(MAX_NESTING).encode()).receive()
    with pytest.raises(HTTPException, match="400"):
        await limited(nested(MAX_NESTING + 1).encode()).receive()


async def test_a_body_is_measured_over_all_its_pieces() -> None:
    body = limited(b"12345", b"67890", b"", b"1", max_bytes=10)
    assert [(await body.receive())["body"] for _ in range(3)] == [b"12345", b"67890", b""]
    with pytest.raises(HTTPException, match="413"):
        await body.receive()
