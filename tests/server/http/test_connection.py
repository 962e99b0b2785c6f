"""Framing is strict and bounded, and a client that is refused hears why, then nothing more."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sterna.server.http import connection
from sterna.server.http.dependencies import Services
from sterna.server.http.limits import MAX_HEADER_BYTES
from sterna.server.settings import Settings
from tests.server.http.wire import CHUNKED, HEAD, Wire
from tests.server.scripted import ScriptedModel, make_settings
from tests.server.waiting import until

BODY = json.dumps({"model": "scripted", "prompt": "Once", "max_tokens": 20}).encode()
GET = b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n"
WHOLE = HEAD + b"content-length: %d\r\n\r\n%s" % (len(BODY), BODY)


def is_documented(body: bytes, reason: str = "") -> bool:
    error: dict[str, Any] = json.loads(body)["error"]
    return set(error) == {"message", "type", "param", "code"} and reason in error["message"]


@pytest.mark.parametrize(
    "request_",
    [
        HEAD + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n",
        HEAD + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"transfer-encoding: identity\r\n\r\n",
        HEAD + b"content-length: 3\r\ncontent-length: 3\r\n\r\nabc",
        HEAD + b"content-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        HEAD + b"content-length: 3, 3\r\n\r\nabc",
        HEAD + b"content-length: +3\r\n\r\nabc",
        HEAD + b"content-length : 3\r\n\r\nabc",
        HEAD + b"x: y\r\n z\r\n\r\n",
        HEAD + b"x: y\r\n\tz\r\n\r\n",
        HEAD + b"x: y\n\r\n",
        HEAD.replace(b"\r\n", b"\n") + b"\n",
        HEAD + b"x: y\rz\r\n\r\n",
        HEAD + b"host: y\r\n\r\n",
        CHUNKED + b"1\na\r\n0\r\n\r\n",
        CHUNKED + b"1\r\na\n0\r\n\r\n",
        CHUNKED + b"0x1\r\na\r\n0\r\n\r\n",
        CHUNKED + b"fffffffffffffffff\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/2.0\r\nhost: x\r\n\r\n",
        b"POST / HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"CONNECT x:80 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"FOO / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    ],
)
async def test_what_may_be_read_in_two_ways_is_refused_and_nothing_after_it_is_read(
    base_url: str, request_: bytes
) -> None:
    async with Wire(base_url) as wire:
        await wire.send(request_ + GET)
        status, head, body = await wire.answer()
        assert status == 400
        assert is_documented(body), body
        assert b"connection: close" in head
        assert await wire.rest() == b""


async def test_what_is_right_is_answered_however_it_is_cut(base_url: str) -> None:
    chunks = b"".join(b"%x;a=b\r\n%s\r\n" % (1, bytes([byte])) for byte in BODY)
    for request in (WHOLE, CHUNKED + chunks + b"0\r\nhost: evil\r\n\r\n"):
        async with Wire(base_url) as wire:
            for begin in range(0, len(request), 7):
                await wire.send(request[begin : begin + 7])
            await wire.send(GET * 3)
            assert [(await wire.answer())[0] for _ in range(4)] == [200] * 4


@pytest.mark.parametrize(
    "piece",
    [b"1\r\n \r\n", b"1;" + b"x" * 30_000 + b"\r\n \r\n"],
    ids=["chunks", "extensions"],
)
async def test_a_body_may_not_be_mostly_framing(base_url: str, piece: bytes) -> None:
    async with Wire(base_url) as wire:
        await wire.send(CHUNKED + piece * (500_000 // len(piece)))
        status, _, body = await wire.answer()
        assert (status, is_documented(body, "chunks")) == (400, True)
        assert await wire.rest() == b""


async def test_trailers_are_no_headers_and_are_bounded(base_url: str) -> None:
    chunk = CHUNKED + b"%x\r\n%s\r\n0\r\n" % (len(BODY), BODY)
    async with Wire(base_url) as wire:
        await wire.send(chunk + b"x: y\r\n" * 100_000)
        assert (await wire.answer())[0] == 400


async def test_a_wish_to_upgrade_is_ignored_and_the_body_is_read(base_url: str) -> None:
    """As Java's client asks for HTTP/2, and some proxies for a WebSocket."""
    upgrade = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AA\r\n"
    async with Wire(base_url) as wire:
        await wire.send(WHOLE.replace(b"content-type", upgrade + b"content-type") + GET)
        status, _, body = await wire.answer()
        assert status == 200
        assert json.loads(body)["choices"][0]["text"] == "Hello there!"
        assert (await wire.answer())[0] == 200


@pytest.mark.parametrize("target", [b"http://x/v1/models", b"HTTP://x:1/v1/models?a=b"])
async def test_a_target_may_be_absolute(base_url: str, target: bytes) -> None:
    async with Wire(base_url) as wire:
        await wire.send(GET.replace(b"/v1/models", target))
        assert (await wire.answer())[0] == 200


async def test_too_many_requests_without_waiting_are_refused(base_url: str) -> None:
    async with Wire(base_url) as wire:
        await wire.send(GET * 10)
        assert [(await wire.answer())[0] for _ in range(10)] == [200] * 10
        with suppress(ConnectionError):  # there is no answer that would not be taken for another's
            await wire.send(GET * 10_000)
            assert (await wire.rest()).count(b"HTTP/1.1 200") < 10_000


@pytest.mark.parametrize("length", [b"content-length: 9999999999\r\n\r\n", b""])
async def test_who_is_refused_while_sending_hears_why(base_url: str, length: bytes) -> None:
    """Also with the key missing or the URL wrong: the rest is thrown away, unparsed."""
    head = HEAD + length if length else CHUNKED
    async with Wire(base_url) as wire:
        await wire.send(head.replace(b"/v1/completions", b"/nothing") + b"400000\r\n")
        status, response, body = await wire.answer()
        assert (status, is_documented(body)) == (413 if length else 404, True)
        assert b"connection: close" in response
        await wire.send(b"x" * 1_000_000)
        assert await wire.rest() == b""


async def test_what_is_being_answered_is_not_disturbed_by_what_follows(
    base_url: str, model: ScriptedModel, services: Services
) -> None:
    model.is_open = False
    async with Wire(base_url) as wire:
        await wire.send(WHOLE)
        await until(lambda: services.admission.num_taken == 1)
        await wire.send(b"no request at all\r\n\r\n")
        model.is_open = True
        model.allow(100)
        status, _, body = await wire.answer()
        assert (status, json.loads(body)["choices"][0]["text"]) == (200, "Hello there!")
        assert await wire.rest() == b""


async def test_a_head_may_be_large_but_not_larger(base_url: str) -> None:
    for length, status in ((MAX_HEADER_BYTES - 100, 200), (2 * MAX_HEADER_BYTES, 431)):
        async with Wire(base_url) as wire:
            await wire.send(GET.replace(b"\r\n\r\n", b"\r\nx: " + b"v" * length))
            await wire.send(b"\r\n\r\n")
            found, _, body = await wire.answer()
            assert found == status
            assert status == 200 or is_documented(body)


class TestImpatient:
    @pytest.fixture
    def settings(self, folder: Path) -> Settings:
        return make_settings(folder, receive_timeout_seconds=0.05)

    @pytest.mark.parametrize(
        "begun",
        [b"", GET[:9], GET[:-2], HEAD + b"content-length: 9\r\n\r\n{", CHUNKED, GET + GET[:9]],
    )
    async def test_what_does_not_arrive_ends(
        self, base_url: str, services: Services, begun: bytes
    ) -> None:
        async with Wire(base_url) as wire:
            await wire.send(begun)
            if begun.startswith(GET):
                assert (await wire.answer())[0] == 200
            status, head, body = await wire.answer()
            assert (status, is_documented(body, "0.05 seconds")) == (408, True)
            assert b"connection: close" in head
            assert await wire.rest() == b""
        assert services.admission.num_bytes == 0


async def test_a_refused_client_is_not_waited_for_for_ever(
    base_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LINGER_SECONDS", 0.01)
    async with Wire(base_url) as wire:
        await wire.send(b"no request at all\r\n\r\n")
        await wire.rest()
        with pytest.raises(ConnectionError):
            while True:
                await wire.send(b"x" * 1000)
