from collections.abc import Sequence

import httpx
import pytest

from sterna.server.bench.endpoint import CHAT_COMPLETIONS, COMPLETIONS, Endpoint
from sterna.server.bench.stream import timed_request
from sterna.server.bench.trace import Trace
from tests.server.bench.peer import CHAT_LINES, COMPLETION_LINES, Peer
from tests.server.scripted import LIMIT_SECONDS
from tests.server.serving import serve

USAGE = 'data: {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 7}}'


async def ask(peer: Peer) -> Trace:
    async with serve(peer.app()) as url, httpx.AsyncClient(timeout=LIMIT_SECONDS) as client:
        return await timed_request(client, Endpoint(url, peer.path, "m"), "Hello", 3)


@pytest.mark.parametrize(
    ("path", "lines"), [(COMPLETIONS, COMPLETION_LINES), (CHAT_COMPLETIONS, CHAT_LINES)]
)
async def test_chunks_with_text_count_where_there_is_no_usage(
    path: str, lines: Sequence[str]
) -> None:
    trace = await ask(Peer(path=path, lines=lines))
    assert trace.error is None
    assert (trace.output_tokens, trace.is_counted_by_server) == (2, False)
    assert len(trace.chunk_seconds) == 2
    assert 0 < trace.chunk_seconds[0] <= trace.chunk_seconds[1]


async def test_usage_wins_over_chunks() -> None:
    trace = await ask(Peer(lines=[*COMPLETION_LINES[:-1], USAGE, COMPLETION_LINES[-1]]))
    assert (trace.output_tokens, trace.is_counted_by_server) == (7, True)
    assert len(trace.chunk_seconds) == 2


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        (COMPLETION_LINES[:3], "cut short"),
        ([*COMPLETION_LINES[:3], 'data: {"error": {"message": "broken"}}'], "error event"),
        (["data: {"], "malformed event"),
        (["data: [1]"], "malformed event"),
        (['data: {"choices": [{"delta": 1}]}'], "malformed event"),
        ([], "cut short"),
    ],
)
async def test_an_answer_that_breaks_off_is_an_error(lines: Sequence[str], error: str) -> None:
    assert await ask(Peer(lines=lines)) == Trace(error=error)


async def test_a_status_is_an_error() -> None:
    assert await ask(Peer(statuses=[503])) == Trace(error="http 503")


async def test_a_server_that_is_not_there_is_an_error() -> None:
    async with httpx.AsyncClient(timeout=LIMIT_SECONDS) as client:
        endpoint = Endpoint("http://127.0.0.1:1", COMPLETIONS, "m")
        assert await timed_request(client, endpoint, "Hello", 3) == Trace(error="ConnectError")
