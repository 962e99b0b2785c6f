"""The command as users run it: a process of its own, a signal, an orderly end; or a dead engine."""

import asyncio
import gc
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from sterna.server.__main__ import main
from sterna.server.commands import serve
from sterna.server.http.listener import Server
from sterna.server.settings import Settings
from tests.server.scripted import LIMIT_SECONDS, ScriptedModel
from tests.tiny_model import VARIANTS, write_checkpoint

COMMAND = [sys.executable, "-m", "sterna", "serve"]
OPTIONS = ["--port=0", "--threads=1", "--kv-cache-tokens=2048", "--shutdown-seconds=3600"]
BODY = {"model": "tiny", "prompt": "Once", "stream": True, "max_tokens": 400, "ignore_eos": True}


@pytest.fixture
def process(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    folder = write_checkpoint(VARIANTS["packed_gqa"], tmp_path / "tiny")
    cache = ["--cache-dir", str(tmp_path / "cache")]
    with subprocess.Popen(
        [*COMMAND, str(folder), *OPTIONS, *cache], stderr=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def port_of(process: "subprocess.Popen[str]") -> int:
    assert process.stderr
    for line in process.stderr:
        assert "\r" not in line, "a progress bar, but this is no terminal"
        if found := re.search(r"running on http://127\.0\.0\.1:(\d+)", line):
            return int(found[1])
    raise AssertionError("the server ended")


def test_a_signal_lets_a_stream_end(process: "subprocess.Popen[str]") -> None:
    url = f"http://127.0.0.1:{port_of(process)}"
    with httpx.Client(base_url=url, timeout=LIMIT_SECONDS) as client:
        assert client.get("/health/ready").json() == {"status": "ready"}
        with client.stream("POST", "/v1/completions", json=BODY) as response:
            lines = response.iter_lines()
            assert next(lines).startswith("data: {")
            process.send_signal(signal.SIGTERM)
            *_, last, _ = lines
            assert last == "data: [DONE]"
    assert process.wait(LIMIT_SECONDS) == 0
    assert process.stderr
    assert process.stderr.read().endswith("sterna.server.http.listener: stopped\n")


async def test_a_dead_engine_ends_the_server(
    app: FastAPI, settings: Settings, model: ScriptedModel
) -> None:
    """After it has answered those who waited."""
    server = Server(app, settings)
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(LIMIT_SECONDS):
        while not server.started:
            await asyncio.sleep(0.001)
        port = server.servers[0].sockets[0].getsockname()[1]
        model.error = MemoryError("scripted")
        body = BODY | {"model": "scripted", "max_tokens": 9}
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, timeout=LIMIT_SECONDS) as client:
            response = await client.post("/v1/completions", json=body)
        assert '"code": "engine_dead"' in response.text
        await serving
    assert server.engine_died


def test_no_collection_walks_through_what_is_loaded(
    app: FastAPI, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would stop every thread for a quarter of a second."""
    while_serving: list[int] = []
    monkeypatch.setattr("sterna.server.logs.configure", lambda level, form: None)
    monkeypatch.setattr(serve, "load_app", lambda given: (app, settings))
    monkeypatch.setattr(Server, "run", lambda server: while_serving.append(gc.get_freeze_count()))
    assert main(["serve", "--port", "0"]) == 0
    assert while_serving[0] > 10_000
    assert gc.get_freeze_count() == 0
