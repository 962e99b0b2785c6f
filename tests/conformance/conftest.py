"""The server under test, its model, and clients for it."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest

from tests.soak.process import ServerProcess

URL = os.environ.get("STERNA_CONFORMANCE_URL", "").rstrip("/")
KEY = os.environ.get("STERNA_CONFORMANCE_KEY", "none")
REFUSALS = (400, 404, 422, 501)
LIMIT_SECONDS = 300.0

Json = dict[str, Any]
Supports = Callable[..., None]


@pytest.fixture(scope="session")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """With ``/v1``."""
    if URL:
        yield URL
        return
    server = ServerProcess(tmp_path_factory.mktemp("server"), {"port": 0, "threads": 1})
    try:
        yield f"{server.url}/v1"
    finally:
        server.kill()


@pytest.fixture(scope="session")
def http(base_url: str) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=base_url, headers=headers, timeout=LIMIT_SECONDS) as client:
        yield client


@pytest.fixture(scope="session")
def client(base_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=base_url, api_key=KEY, max_retries=0, timeout=LIMIT_SECONDS,
        _strict_response_validation=True,
    ) as client:  # fmt: skip
        yield client


@pytest.fixture(scope="session")
def model(http: httpx.Client) -> str:
    listed: str = http.get("models").json()["data"][0]["id"]
    return os.environ.get("STERNA_CONFORMANCE_MODEL", listed)


@pytest.fixture
def needs(http: httpx.Client, model: str) -> Supports:
    """Skip the test if another server refuses a chat with these fields; ours may refuse none."""

    def check(**fields: Any) -> None:
        message = {"role": "user", "content": "Hello"}
        body = {"model": model, "messages": [message], "max_tokens": 2} | fields
        response = http.post("chat/completions", json=body)
        if URL and response.status_code in REFUSALS:
            pytest.skip(f"{fields} is refused: {response.text[:200]}")
        assert response.status_code == 200, response.text

    return check
