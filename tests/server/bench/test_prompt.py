from random import Random

import httpx
import pytest

from sterna.server.bench.endpoint import COMPLETIONS, Endpoint
from sterna.server.bench.prompt import PromptWriter
from tests.server.bench.peer import Peer
from tests.server.scripted import LIMIT_SECONDS
from tests.server.serving import serve


async def calibrated(peer: Peer, num_tokens: int) -> tuple[PromptWriter, int | None]:
    writer = PromptWriter()
    async with serve(peer.app()) as url, httpx.AsyncClient(timeout=LIMIT_SECONDS) as client:
        counted = await writer.calibrate(client, Endpoint(url, COMPLETIONS, "m"), num_tokens)
    return writer, counted


def test_no_two_prompts_begin_alike() -> None:
    writer = PromptWriter(num_words=12, random=Random(1))
    prompts = [writer.write() for _ in range(2000)]
    assert {len(prompt.split()) for prompt in prompts} == {12}
    assert len({prompt.split()[0] for prompt in prompts}) == 2000


@pytest.mark.parametrize(
    ("tokens_per_word", "asked", "counted"),
    [(1, 64, 64), (2, 64, 65), (5, 64, 63), (5, 1, 8), (1, 1000, 1000)],
)
async def test_has_about_the_tokens_asked_for(
    tokens_per_word: int, asked: int, counted: int
) -> None:
    writer, found = await calibrated(Peer(tokens_per_word=tokens_per_word), asked)
    assert found == counted
    assert 3 + tokens_per_word * len(writer.write().split()) == counted


async def test_takes_a_word_for_a_token_where_nobody_counts() -> None:
    writer, found = await calibrated(Peer(), 64)
    assert found is None
    assert len(writer.write().split()) == 64


class _ClosesEveryOther(httpx.AsyncHTTPTransport):
    """Fails every other request, as when a server closes a connection that was to be kept."""

    num_requests = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.num_requests += 1
        if self.num_requests % 2:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        return await super().handle_async_request(request)


async def test_counts_again_when_a_connection_was_closed() -> None:
    """Or a server's prompts would be several times as long as its peer's."""
    writer = PromptWriter()
    transport = _ClosesEveryOther()
    async with (
        serve(Peer(tokens_per_word=5).app()) as url,
        httpx.AsyncClient(timeout=LIMIT_SECONDS, transport=transport) as client,
    ):
        assert await writer.calibrate(client, Endpoint(url, COMPLETIONS, "m"), 64) == 63
