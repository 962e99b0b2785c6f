"""What goes over a connection, byte for byte."""

import asyncio
from types import TracebackType
from typing import Self

from tests.server.scripted import LIMIT_SECONDS

HEAD = b"POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"


class Wire:
    """A client that sends what no client library would. Every wait has its limit."""

    def __init__(self, base_url: str) -> None:
        self._port = int(base_url.rpartition(":")[2])

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.writer.close()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        async with asyncio.timeout(LIMIT_SECONDS):
            await self.writer.drain()

    async def answer(self) -> tuple[int, bytes, bytes]:
        """Status, head and body of the next response, which states its length."""
        async with asyncio.timeout(LIMIT_SECONDS):
            head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length:")[2].split()[0])
            return int(head.split()[1]), head, await self.reader.readexactly(length)

    async def rest(self) -> bytes:
        """All that comes until the server closes; it must do so by itself."""
        async with asyncio.timeout(LIMIT_SECONDS):
            return await self.reader.read()
