"""Who reads nothing for too long is noticed; who reads slowly, or has nothing to read, is not."""

import asyncio

import pytest
from starlette.types import Message

from sterna.server.http.sse import SendWatch

SECONDS = 0.05
LIMIT_SECONDS = 60.0
MESSAGE: Message = {"type": "http.response.body"}


class Reader:
    """Reads one message for each ``go``; ``is_stuck`` is set when it is taken for stuck."""

    def __init__(self) -> None:
        self.is_stuck = asyncio.Event()
        self.go = asyncio.Semaphore(0)
        self.watch = SendWatch(self._read, SECONDS, self.is_stuck.set)

    async def _read(self, message: Message) -> None:
        await self.go.acquire()


async def test_a_reader_that_reads_nothing_is_stuck() -> None:
    reader = Reader()
    sending = asyncio.create_task(reader.watch.send(MESSAGE))
    await asyncio.wait_for(reader.is_stuck.wait(), LIMIT_SECONDS)
    sending.cancel()


async def test_also_when_it_has_read_before() -> None:
    reader = Reader()
    reader.go.release()
    await reader.watch.send(MESSAGE)
    sending = asyncio.create_task(reader.watch.send(MESSAGE))
    await asyncio.wait_for(reader.is_stuck.wait(), LIMIT_SECONDS)
    sending.cancel()


async def test_time_without_anything_to_read_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The loop's clock is ours, so that a slow machine is not a slow reader."""
    loop = asyncio.get_running_loop()
    now = loop.time()
    monkeypatch.setattr(loop, "time", lambda: now)
    reader = Reader()
    for _ in range(20):
        reader.go.release()
        await reader.watch.send(MESSAGE)
        now += 0.9 * SECONDS
        await asyncio.sleep(0)
    assert not reader.is_stuck.is_set()
    reader.watch.close()
