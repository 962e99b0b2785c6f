"""Sterna on a local Ray cluster with the built-in model: routing, failure, load, draining."""

import asyncio
import gc
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.ray_cluster import (
    LIMIT_SECONDS,
    URL,
    RayCluster,
    ray_cluster,
    replica_pids,
    wait_until,
)

pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore"),  # Ray's own
]

TOKENS = "vllm:generation_tokens_total"
QUERIES = "vllm:prefix_cache_queries_total"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayCluster]:
    with ray_cluster(tmp_path_factory.mktemp("ray")) as cluster:
        yield cluster


def body(prompt: str, max_tokens: int = 8, **fields: Any) -> dict[str, Any]:
    asked = {"model": "sterna-builtin", "prompt": prompt, "max_tokens": max_tokens}
    return asked | {"ignore_eos": True} | fields


def client() -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=None)
    return httpx.AsyncClient(base_url=URL, timeout=LIMIT_SECONDS, limits=limits)


async def ask_all(prompts: list[str], max_tokens: int = 8) -> list[httpx.Response]:
    async with client() as http:
        asks = (http.post("/v1/completions", json=body(p, max_tokens)) for p in prompts)
        return await asyncio.gather(*asks)


class Stream:
    """One streamed answer, read in the background."""

    def __init__(self, http: httpx.AsyncClient, prompt: str, max_tokens: int) -> None:
        self.events: list[str] = []
        self.started = asyncio.Event()
        self._http, self._body = http, body(prompt, max_tokens, stream=True)
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async with self._http.stream("POST", "/v1/completions", json=self._body) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    self.events.append(line.removeprefix("data: "))
                    self.started.set()

    @property
    def is_whole(self) -> bool:
        return self.events[-1] == "[DONE]"

    @property
    def error_code(self) -> str:
        return str(json.loads(self.events[-1])["error"]["code"])


async def start_streams(http: httpx.AsyncClient, count: int, max_tokens: int) -> list[Stream]:
    streams = [Stream(http, f"{i} foxes", max_tokens) for i in range(count)]
    await asyncio.gather(*(stream.started.wait() for stream in streams))
    return streams


async def test_requests_stream_and_spread_over_the_replicas(cluster: RayCluster) -> None:
    cluster.deploy(replicas=2)
    async with client() as http:
        streams = await start_streams(http, 16, max_tokens=64)
        await asyncio.gather(*(stream.task for stream in streams))
    assert {stream.events[-1] for stream in streams} == {"[DONE]"}
    assert min(len(stream.events) for stream in streams) > 3  # a busy server merges pieces
    shares = cluster.counter(TOKENS).values()
    assert sum(shares) == 16 * 64
    assert min(shares) >= 4 * 64  # a fourth, where the half is the mean


async def test_a_chat_stays_with_its_cache(cluster: RayCluster) -> None:
    before = cluster.counter(QUERIES)
    messages = [{"role": "user", "content": "Tell me of a hen."}]
    for turn in range(4):
        asked = {"model": "sterna-builtin", "messages": messages, "max_tokens": 8}
        answer = httpx.post(f"{URL}/v1/chat/completions", json=asked, timeout=LIMIT_SECONDS).json()
        messages.append(answer["choices"][0]["message"] | {"role": "assistant"})
        messages.append({"role": "user", "content": f"And then? {turn}"})
        assert turn == 0 or answer["usage"]["prompt_tokens_details"]["cached_tokens"] > 0
    after = cluster.counter(QUERIES)
    assert sum(after[replica] > before[replica] for replica in after) == 1


async def test_headers_and_errors_are_the_apps_own(cluster: RayCluster) -> None:
    (refused,) = await ask_all(["fox"], max_tokens=100000)
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "context_length_exceeded"
    assert len(refused.headers.get_list("x-request-id")) == 1
    large = httpx.post(f"{URL}/v1/completions", content=b"x" * (5 << 20), timeout=LIMIT_SECONDS)
    assert large.status_code == 413


async def test_a_replicas_log_has_the_id_that_the_client_got(cluster: RayCluster) -> None:
    (answer,) = await ask_all(["fox"])
    line = (
        f"INFO sterna.server.http.middleware: request request_id={answer.headers['x-request-id']} "
    )
    await asyncio.to_thread(wait_until, lambda: line in cluster.logged())


async def test_a_client_that_goes_frees_its_work(cluster: RayCluster) -> None:
    async with client() as http:
        (stream,) = await start_streams(http, 1, max_tokens=400)
        stream.task.cancel()
        with suppress(asyncio.CancelledError):
            await stream.task
    running = "vllm:num_requests_running"
    await asyncio.to_thread(wait_until, lambda: sum(cluster.counter(running).values()) == 0)


async def kill_a_replica() -> tuple[int, list[Stream], list[httpx.Response]]:
    """While both are busy: its process id, then all streams and other answers at their end."""
    async with client() as http:
        asks = asyncio.create_task(ask_all([f"{i} owls" for i in range(12)], max_tokens=480))
        streams = await start_streams(http, 12, max_tokens=480)
        victim, _ = replica_pids()
        os.kill(victim, signal.SIGKILL)
        await asyncio.gather(*(stream.task for stream in streams))
    return victim, streams, await asks


async def test_a_killed_replica_fails_its_own_requests_only_and_comes_back(
    cluster: RayCluster,
) -> None:
    victim, streams, others = await kill_a_replica()
    while all(s.is_whole for s in streams) or all(o.is_success for o in others):  # had ended before
        await asyncio.to_thread(wait_until, lambda: len(replica_pids()) == 2)
        await asyncio.to_thread(wait_until, lambda: cluster.num_running == 2)
        victim, streams, others = await kill_a_replica()
    failed = [stream for stream in streams if not stream.is_whole]
    assert len(failed) < len(streams)
    assert {stream.error_code for stream in failed} == {"replica_died"}
    assert {answer.status_code for answer in others} == {200, 503}
    errors = (answer.json()["error"] for answer in others if answer.status_code == 503)
    assert {error["code"] for error in errors} == {"replica_died"}
    answers = await ask_all([f"{i} hens" for i in range(8)])  # while it is away
    assert {answer.status_code for answer in answers} == {200}
    await asyncio.to_thread(wait_until, lambda: len(replica_pids()) == 2)
    await asyncio.to_thread(wait_until, lambda: cluster.num_running == 2)
    assert victim not in replica_pids()


async def test_a_new_version_drains_the_old(cluster: RayCluster) -> None:
    async with client() as http:
        streams = await start_streams(http, 4, max_tokens=400)
        before = set(replica_pids())
        await asyncio.to_thread(cluster.deploy, replicas=2, max_chunk_tokens=16)
        await asyncio.gather(*(stream.task for stream in streams))
    assert all(stream.is_whole for stream in streams)
    await asyncio.to_thread(wait_until, lambda: not before & set(replica_pids()))


@pytest.mark.parametrize("status", [429, 503])
async def test_a_full_cluster_says_when_to_come_back(cluster: RayCluster, status: int) -> None:
    options = {"replicas": 1, "max_batch_requests": 1, "max_waiting_requests": 1}
    await asyncio.to_thread(lambda: cluster.deploy(**options, overload_status=status))
    answers = await ask_all([f"{i} foxes" for i in range(12)], max_tokens=200)
    statuses = {answer.status_code for answer in answers}
    assert statuses == {200, status}
    for answer in answers:
        if answer.status_code == status:
            assert answer.json()["error"]["code"] == "queue_full"
            assert int(answer.headers["retry-after"]) >= 1


async def test_load_brings_replicas_and_idleness_takes_them(cluster: RayCluster) -> None:
    options = {"replicas": 1, "max_replicas": 2, "target_requests": 1, "downscale_seconds": 1}
    await asyncio.to_thread(lambda: cluster.deploy(**options))
    deadline = time.monotonic() + LIMIT_SECONDS
    while cluster.num_running < 2:
        assert time.monotonic() < deadline
        await ask_all([f"{i} foxes" for i in range(6)], max_tokens=100)
    await asyncio.to_thread(wait_until, lambda: cluster.num_running == 1)


def test_options_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    from pydantic import ValidationError

    from deploy.ray.app import ClusterOptions
    from sterna.engine import ConfigError

    with pytest.raises(ValidationError, match="max_replicas"):
        ClusterOptions.model_validate({"replicas": 2, "max_replicas": 1})
    with pytest.raises(ValidationError, match="port: not a setting of a replica"):
        ClusterOptions.model_validate({"port": 8001})
    with pytest.raises(ConfigError, match="kv-dtype"):
        ClusterOptions.model_validate({"kv_dtype": "int3"})


async def test_a_replica_keeps_what_it_loaded_out_of_garbage_collections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deploy.ray.replica import Replica

    monkeypatch.setattr("sterna.server.logs.configure", lambda level, form: None)
    replica = Replica.__new__(Replica)
    await replica.__init__({"cache_dir": tmp_path, "kv_cache_tokens": 512}, None)  # type: ignore[misc]
    assert gc.get_freeze_count() > 0
    await replica.__del__()
    assert gc.get_freeze_count() == 0
