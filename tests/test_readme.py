"""What the README says to type works, in processes of their own, with the built-in model."""

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

README = (Path(__file__).parents[1] / "README.md").read_text()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until_ready(url: str, server: subprocess.Popen[bytes]) -> None:
    while server.poll() is None:
        try:
            httpx.get(f"{url}/health/ready").raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise AssertionError("the server has ended")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    url = f"http://localhost:{port}"
    cache = str(tmp_path_factory.mktemp("cache"))
    command = [sys.executable, "-m", "sterna", "serve", "--port", str(port), "--cache-dir", cache]
    with subprocess.Popen([*command, "--kv-cache-tokens", "4096"]) as server:
        try:
            wait_until_ready(url, server)
            yield url
        finally:
            server.terminate()


def test_the_openai_client_streams_a_reply(url: str) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    code = code.replace("http://localhost:8000", url)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert len(ran.stdout.split()) >= 3
    assert ran.stdout.isascii()


def test_curl_gets_a_reply(url: str) -> None:
    (body,) = re.findall(r"-d '(\{.*?\})'", README)
    answer = httpx.post(f"{url}/v1/chat/completions", json=json.loads(body), timeout=300)
    assert answer.raise_for_status().json()["choices"][0]["message"]["content"]
