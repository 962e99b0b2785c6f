"""Whatever bytes come in, the server answers or closes, and then serves the next as before.

Bodies: ``test_errors`` puts odd values into fields; here it is bytes, in bodies and on the wire.
"""

import asyncio
import json
from random import Random
from typing import Any

import httpx
import pytest

from tests.server.scripted import LIMIT_SECONDS

CHAT = "/v1/chat/completions"
TEXT = "/v1/completions"
BODIES: list[tuple[str, dict[str, Any]]] = [
    (CHAT, {"model": "scripted", "messages": [{"role": "user", "content": "Hi"}], "stream": True}),
    (TEXT, {"model": "scripted", "prompt": ["Hi", "Ho"], "stop": ["x"], "max_tokens": 3}),
    (TEXT, {"model": "scripted", "prompt": "é\u2028\U0001f600", "stream": True, "n": 2}),
    ("/tokenize", {"model": "scripted", "prompt": "Hi"}),
]
PIECES = [
    b"{", b"}", b"[", b"]", b'"', b"\\", b"\\u", b"\\ud800", b":", b",", b"null", b"-", b"1e999",
    b"\x00", b"\xff", b"\xc3", b"NaN", b"//", b"\r\n",
]  # fmt: skip
HEADERS = [
    b"content-length: 5", b"content-length: -1", b"transfer-encoding: chunked", b"x: \x01",
    b"expect: 100-continue", b"connection: upgrade", b"\xff: y", b": z", b"host: a",
]  # fmt: skip
STATUSES = {b"", b"100", b"200", b"400", b"404", b"405", b"413", b"431"}


def mutated(random: Random, content: bytes) -> bytes:
    """Some bytes cut out, doubled, or replaced by what means something in JSON."""
    for _ in range(random.choice([1, 1, 2, 5])):
        start = random.randrange(len(content) + 1)
        end = min(start + random.choice([0, 1, 1, 4, 30]), len(content))
        piece = random.choice([random.choice(PIECES), content[start:end] * 2, random.randbytes(3)])
        content = content[:start] + piece + content[end:]
    return content


def check_stream(text: str) -> None:
    """Events of one line of JSON each, the last of which is a mark or an error."""
    *events, rest = text.split("\n\n")
    assert rest == ""
    *chunks, last = [event.removeprefix("data: ") for event in events if event[0] != ":"]
    assert all("error" not in json.loads(chunk) for chunk in chunks)
    assert last == "[DONE]" or json.loads(last)["error"]["message"]


@pytest.mark.parametrize(("url", "body"), BODIES)
async def test_bodies(client: httpx.AsyncClient, url: str, body: dict[str, Any]) -> None:
    random = Random(1)
    content = json.dumps(body, ensure_ascii=False).encode()
    headers = {"content-type": "application/json"}
    for _ in range(300):
        sent = mutated(random, content)
        response = await client.post(url, content=sent, headers=headers)
        assert response.status_code in (200, 400, 404), (sent, response.text)
        if response.headers["content-type"].startswith("text/event-stream"):
            check_stream(response.text)
        else:
            assert ("error" in response.json()) == (response.status_code != 200), sent


async def test_bytes_on_the_wire(base_url: str) -> None:
    random = Random(2)
    port = int(base_url.rpartition(":")[2])
    for _ in range(150):
        status = await send(port, wire(random))
        assert status in STATUSES
    async with httpx.AsyncClient(base_url=base_url, timeout=LIMIT_SECONDS) as client:
        body = {"model": "scripted", "prompt": "Once"}
        answer = (await client.post(TEXT, json=body)).json()
        assert answer["choices"][0]["text"] == "Hello there!"
        assert (await client.get("/health")).status_code == 200


def wire(random: Random) -> bytes:
    """A request that is somehow wrong, or no request at all."""
    url, body = random.choice(BODIES)
    content = json.dumps(body).encode()
    head = f"POST {url} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n".encode()
    length = random.choice(
        [b"", b"content-length: %d\r\n" % len(content), b"content-length: 9\r\n"]
    )
    extra = random.choice([b"", random.choice(HEADERS) + b"\r\n"])
    request = head + length + extra + b"\r\n" + content
    return random.choice([request, mutated(random, request), random.randbytes(200)])


async def send(port: int, request: bytes) -> bytes:
    """The status that comes back; empty if the server closes, or waits for more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        writer.write_eof()
        async with asyncio.timeout(LIMIT_SECONDS):
            line = await reader.readline()
        return line.split(b" ")[1] if line else b""
    except ConnectionResetError:
        return b""
    finally:
        writer.close()
