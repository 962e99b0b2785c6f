"""How the server ends: what has begun is answered, what comes new is told, and all in time."""

import asyncio
import signal
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from sterna.engine import ConfigError
from sterna.server.http import listener
from sterna.server.http.dependencies import Services
from sterna.server.http.limits import MAX_HEADER_BYTES
from sterna.server.http.listener import Server, check_tls
from sterna.server.settings import Settings
from tests.server.scripted import (
    LIMIT_SECONDS,
    NEVER_SECONDS,
    ScriptedModel,
    babbles,
    make_settings,
)
from tests.server.waiting import until

URL = "/v1/completions"
BODY: dict[str, Any] = {"model": "scripted", "prompt": "Once", "max_tokens": 20}


@pytest.fixture(autouse=True)
def closed_model(model: ScriptedModel) -> None:
    model.reply = babbles()
    model.is_open = False


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is paused at the end still gets the last bytes."""
    monkeypatch.setattr(listener, "FLUSH_SECONDS", NEVER_SECONDS)


@asynccontextmanager
async def running(app: FastAPI, settings: Settings) -> AsyncIterator[tuple[Server, str]]:
    server = Server(app, settings)
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(3 * LIMIT_SECONDS):
        while not server.started:
            await asyncio.sleep(0.001)
        scheme = "https" if settings.tls_cert_file else "http"
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield server, f"{scheme}://127.0.0.1:{port}"
        except BaseException:
            server.should_exit = True
            raise
        finally:
            await task


async def begin(
    client: httpx.AsyncClient, services: Services, **fields: Any
) -> "asyncio.Task[httpx.Response]":
    task = asyncio.create_task(client.post(URL, json=BODY | fields))
    await until(lambda: services.admission.num_taken == 1)
    return task


@pytest.mark.parametrize("stream", [False, True])
async def test_a_signal_lets_open_requests_end_and_refuses_new_ones(
    app: FastAPI, settings: Settings, services: Services, model: ScriptedModel, stream: bool
) -> None:
    async with running(app, settings) as (server, url):
        async with httpx.AsyncClient(base_url=url, timeout=LIMIT_SECONDS) as client:
            task = await begin(client, services, stream=stream)
            server.handle_exit(signal.SIGTERM, None)
            for _ in range(3):  # also some ticks later
                for response in (await client.post(URL, json=BODY), await client.get("/health")):
                    assert response.status_code == 503
                    assert response.headers["connection"] == "close"
                    assert response.json()["error"]["code"] == "stopping"
                await asyncio.sleep(0.15)
            assert (await client.get("/health/live")).status_code == 200
            model.is_open = True
            model.allow()
            answer = await task
        assert answer.status_code == 200
        assert ("[DONE]" in answer.text) == stream


class TestShortOfTime:
    @pytest.fixture
    def settings(self, folder: Path) -> Settings:
        return make_settings(folder, shutdown_seconds=1)

    @pytest.mark.parametrize("stream", [False, True])
    async def test_what_takes_longer_ends_with_an_error(
        self, app: FastAPI, settings: Settings, services: Services, model: ScriptedModel,
        stream: bool,
    ) -> None:  # fmt: skip
        async with running(app, settings) as (server, url):
            async with httpx.AsyncClient(base_url=url, timeout=LIMIT_SECONDS) as client:
                task = await begin(client, services, stream=stream)
                server.handle_exit(signal.SIGTERM, None)
                answer = await task
            assert answer.status_code == (200 if stream else 503)
            assert '"code": "stopping"' in answer.text
            assert "[DONE]" not in answer.text
            model.is_open = True
            model.allow()


async def test_a_head_without_end_is_cut_off(app: FastAPI, settings: Settings) -> None:
    async with running(app, settings) as (server, url):
        port = int(url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /health HTTP/1.1\r\nx-long: ")
        writer.write(b"v" * 2 * MAX_HEADER_BYTES)
        assert (await reader.readline()).split()[1] == b"431"
        writer.close()
        server.handle_exit(signal.SIGTERM, None)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key, made by OpenSSL."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    names = ["-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    return certificate, key


class TestTLS:
    @pytest.fixture
    def settings(self, folder: Path, pair: tuple[Path, Path]) -> Settings:
        return make_settings(folder, tls_cert_file=pair[0], tls_key_file=pair[1])

    async def test_it_speaks_https(
        self, app: FastAPI, settings: Settings, pair: tuple[Path, Path]
    ) -> None:
        check_tls(settings)
        trust = ssl.create_default_context(cafile=str(pair[0]))
        async with running(app, settings) as (server, url):
            async with httpx.AsyncClient(
                base_url=url, verify=trust, timeout=LIMIT_SECONDS
            ) as client:
                assert (await client.get("/health")).status_code == 200
            server.handle_exit(signal.SIGTERM, None)


def test_certificates_that_will_not_do_are_named(pair: tuple[Path, Path], tmp_path: Path) -> None:
    certificate, key = pair
    other, locked = tmp_path / "other.pem", tmp_path / "locked.pem"
    make = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out"]
    subprocess.run([*make, str(other)], check=True, capture_output=True)
    lock = ["openssl", "pkey", "-aes256", "-passout", "pass:x"]
    subprocess.run([*lock, "-in", str(key), "-out", str(locked)], check=True, capture_output=True)
    for files, reason in [
        ((certificate, None), "given together"),
        ((None, key), "given together"),
        ((tmp_path / "none.pem", key), "none.pem: No such file"),
        ((certificate, tmp_path), "Is a directory"),
        ((certificate, other), "do not match"),
        ((key, key), "do not match"),
        ((certificate, locked), "must not be protected by a password"),
    ]:
        settings = Settings.load({"tls_cert_file": files[0], "tls_key_file": files[1]}, {})
        with pytest.raises(ConfigError, match=reason) as caught:
            check_tls(settings)
        assert "\n" not in str(caught.value)
