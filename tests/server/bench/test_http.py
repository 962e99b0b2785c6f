"""The whole benchmark, against our server and others, on real sockets."""

import pytest
from fastapi import FastAPI

from sterna.engine import AsyncEngine
from sterna.server.bench.http import HttpPlan, measure
from sterna.server.bench.report import ratios
from tests.server.bench.peer import Peer
from tests.server.scripted import ScriptedModel, babbles
from tests.server.serving import serve


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel(babbles())


async def test_figures_of_our_server_add_up(base_url: str, engine: AsyncEngine) -> None:
    seen: list[tuple[int, int]] = []
    plan = HttpPlan([base_url], (1, 4), prompt_tokens=40, output_tokens=10, requests_per_client=3)
    report = await measure(plan, lambda what, done, total: seen.append((done, total)))
    (server,) = report.servers
    assert (server.url, server.model, server.path) == (base_url, "scripted", "/v1/completions")
    assert (server.ignore_eos, server.counted) == (True, "usage")
    assert server.prompt_tokens is not None
    assert abs(server.prompt_tokens - 40) <= 5
    assert [(row.clients, row.requests) for row in report.results] == [(1, 3), (4, 12)]
    for row in report.results:
        assert row.errors == {}
        assert row.output_tokens == 10 * row.requests
        assert row.output_tok_per_s > 0
        assert row.ttft_ms_p50 is not None
        assert row.ttft_ms_p99 is not None
        assert 0 < row.ttft_ms_p50 <= row.ttft_ms_p99
    assert report.url_over_vs is None
    assert seen == [(done, 15) for done in range(1, 16)]
    assert engine.stats().num_running == 0


async def test_requests_that_fail_are_counted_by_kind(app: FastAPI) -> None:
    peer = Peer(statuses=[200, 200, 200, 429, 503, 429])  # after the probe and the warm-up
    async with serve(peer.app()) as url:
        report = await measure(HttpPlan([url], (2,), requests_per_client=3))
    (row,) = report.results
    assert row.requests == 6
    assert row.errors == {"http 429": 2, "http 503": 1}
    assert row.output_tokens == 2 * 3
    assert row.itl_ms_p50 is not None
    assert row.itl_ms_p99 is not None
    assert 0 <= row.itl_ms_p50 <= row.itl_ms_p99


async def test_two_servers_take_turns() -> None:
    log: list[str] = []
    first, second = Peer("first", log=log), Peer("second", log=log, refused=["ignore_eos"])
    async with serve(first.app()) as url, serve(second.app()) as vs_url:
        plan = HttpPlan([url, vs_url], (1, 2), requests_per_client=1)
        report = await measure(plan)
    probes = ["first"] * 2 + ["second"] * 2
    assert log == [*probes, *["first", "second"] * 2, *["first", "first", "second", "second"] * 2]
    assert [server.model for server in report.servers] == ["first-model", "second-model"]
    assert [server.ignore_eos for server in report.servers] == [True, False]
    assert [(row.url, row.clients, row.requests) for row in report.results] == [
        (url, 1, 2),
        (vs_url, 1, 2),
        (url, 2, 4),
        (vs_url, 2, 4),
    ]
    assert report.url_over_vs == [
        ratios(report.results[0], report.results[1]),
        ratios(report.results[2], report.results[3]),
    ]


async def test_no_prompt_is_sent_twice() -> None:
    peer = Peer()
    async with serve(peer.app()) as url:
        await measure(HttpPlan([url], (1, 8), requests_per_client=5))
    prompts = [body["prompt"] for body in peer.bodies]
    assert len(set(prompts)) == len(prompts) == 2 + 5 + 40
