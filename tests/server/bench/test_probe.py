from collections.abc import Sequence

import httpx
import pytest

from sterna.engine import ConfigError
from sterna.server.bench.endpoint import CHAT_COMPLETIONS, Endpoint
from sterna.server.bench.probe import find_endpoint
from tests.server.bench.peer import CHAT_LINES, Peer
from tests.server.scripted import LIMIT_SECONDS
from tests.server.serving import serve


async def find(peer: Peer, suffix: str = "", model: str | None = None) -> Endpoint:
    async with serve(peer.app()) as url, httpx.AsyncClient(timeout=LIMIT_SECONDS) as client:
        endpoint = await find_endpoint(client, url + suffix, model)
        assert endpoint.base_url == url
        return endpoint


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
async def test_takes_completions_and_the_first_model(suffix: str) -> None:
    endpoint = await find(Peer(), suffix)
    assert (endpoint.path, endpoint.model) == ("/v1/completions", "peer-model")
    assert endpoint.extras == {"stream_options": {"include_usage": True}, "ignore_eos": True}


async def test_takes_chat_where_there_are_no_completions() -> None:
    endpoint = await find(Peer(path=CHAT_COMPLETIONS, lines=CHAT_LINES), model="mine")
    assert (endpoint.path, endpoint.model) == (CHAT_COMPLETIONS, "mine")


@pytest.mark.parametrize(
    ("refused", "accepted"),
    [
        (["ignore_eos"], {"stream_options"}),
        (["stream_options"], {"ignore_eos"}),
        (["ignore_eos", "stream_options"], set()),
    ],
)
async def test_sends_no_field_that_is_refused(refused: Sequence[str], accepted: set[str]) -> None:
    peer = Peer(refused=refused)
    assert set((await find(peer)).extras) == accepted
    assert [set(body) for body in peer.bodies] == [
        {"model", "prompt", "max_tokens", "temperature", "stream"} | accepted
    ]


@pytest.mark.parametrize(
    ("peer", "reason"),
    [
        (Peer(path="/v1/embeddings"), "http 404"),
        (Peer(statuses=[401]), "http 401"),
        (Peer(refused=["model"]), "http 400"),
        (Peer(lines=[]), "cut short"),
    ],
)
async def test_says_why_a_server_is_of_no_use(peer: Peer, reason: str) -> None:
    with pytest.raises(ConfigError, match=rf"could not stream .* 'peer-model' .*: {reason}"):
        await find(peer)


async def test_says_where_no_models_are_listed() -> None:
    with pytest.raises(ConfigError, match="/v1/models: "):
        async with httpx.AsyncClient(timeout=LIMIT_SECONDS) as client:
            await find_endpoint(client, "http://127.0.0.1:1")
