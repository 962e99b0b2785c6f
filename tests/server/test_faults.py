"""Faults of the engine and of the machine, in a real process: each has its documented outcome."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

LIMIT_SECONDS = 100.0
STALL_SECONDS = 0.5
URL = "/v1/completions"
OPTIONS = ["--port=0", "--served-model-name=m", "--shutdown-seconds=3600"]
Process = subprocess.Popen[str]

STALLS_SOON = pytest.mark.parametrize("stall_seconds", [STALL_SECONDS])


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Client:
    """Requests to the process, each in a thread of its own."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        self._http = stack.enter_context(httpx.Client(base_url=url, timeout=LIMIT_SECONDS))
        self._pool = ThreadPoolExecutor(8)

    def get(self, path: str) -> httpx.Response:
        return self._http.get(path)

    def post(self, prompt: str, **fields: Any) -> "Future[httpx.Response]":
        body = {"model": "m", "prompt": prompt, "max_tokens": 60} | fields
        return self._pool.submit(self._http.post, URL, json=body)

    def wait_for_tokens(self, count: int) -> None:
        """Until so many have been generated in all."""
        wait_until(lambda: self._num_tokens() >= count)

    def _num_tokens(self) -> float:
        name = r"^vllm:generation_tokens_total\{.*\} (\S+)$"
        return float(re.findall(name, self.get("/metrics").text, re.MULTILINE)[0])


@pytest.fixture
def stall_seconds() -> float:
    """No pause of the machine is taken for a hang, unless the test is about hangs."""
    return 3600


@pytest.fixture
def process(folder: Path, stall_seconds: float) -> Iterator[Process]:
    command = [sys.executable, "-m", "tests.server.faulty_process", str(folder)]
    options = [*OPTIONS, f"--stall-seconds={stall_seconds}"]
    with subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


@pytest.fixture
def client(process: Process) -> Iterator[Client]:
    assert process.stderr
    for line in process.stderr:
        if found := re.search(r"running on (http://[\d.]+:\d+)", line):
            with ExitStack() as stack:
                yield Client(found[1], stack)
            return
    raise AssertionError("the server ended")


def text_of(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    text: str = response.json()["choices"][0]["text"]
    return text


def test_a_crash_answers_everyone_and_ends_the_process(process: Process, client: Client) -> None:
    others = [client.post("slow", max_tokens=200, stream=stream) for stream in (False, True)]
    client.wait_for_tokens(1)
    culprit = client.post("die", stream=True)
    whole, stream = (other.result(LIMIT_SECONDS) for other in others)
    assert (whole.status_code, whole.json()["error"]["code"]) == (503, "engine_dead")
    assert whole.headers["x-should-retry"] == "false"
    for broken in (stream, culprit.result(LIMIT_SECONDS)):
        *_, last = broken.text.strip().split("\n\n")
        assert '"code": "engine_dead"' in last
    assert process.wait(LIMIT_SECONDS) == 1


@STALLS_SOON
def test_a_hang_fails_liveness_and_refuses_new_requests(process: Process, client: Client) -> None:
    time.sleep(STALL_SECONDS + 0.3)  # an idle engine never hangs
    for path in ("/health/live", "/health/ready", "/health"):
        assert client.get(path).status_code == 200
    hung = client.post("hang")
    client.wait_for_tokens(3)  # what stalled before that would be no hang
    wait_until(lambda: client.get("/health/live").status_code == 503)
    for path in ("/health/live", "/health/ready", "/health"):
        response = client.get(path)
        assert response.status_code == 503
        assert response.json()["error"]["code"] == "engine_stalled"
    assert client.post("a").result(LIMIT_SECONDS).status_code == 503
    process.send_signal(signal.SIGTERM)
    wait_until(lambda: client.get("/health").json()["error"]["code"] == "stopping")
    time.sleep(0.5)
    assert process.poll() is None  # it gives what is open its time
    process.send_signal(signal.SIGTERM)
    assert process.wait(LIMIT_SECONDS) == -signal.SIGTERM  # and a second signal gives none
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        hung.result(LIMIT_SECONDS)


def test_what_is_not_finite_fails_one_request(process: Process, client: Client) -> None:
    other = client.post("a")
    client.wait_for_tokens(1)
    whole, stream = client.post("nan"), client.post("nan", stream=True)
    failed = whole.result(LIMIT_SECONDS)
    assert (failed.status_code, failed.json()["error"]["code"]) == (500, "generation_failed")
    *_, last = stream.result(LIMIT_SECONDS).text.strip().split("\n\n")
    assert '"code": "generation_failed"' in last
    assert text_of(other.result(LIMIT_SECONDS)) == "abcdefghij" * 6
    assert client.get("/health").status_code == 200


@STALLS_SOON
def test_a_stopped_process_goes_on_where_it_was(process: Process, client: Client) -> None:
    answer = client.post("a", max_tokens=200)
    client.wait_for_tokens(20)
    process.send_signal(signal.SIGSTOP)
    time.sleep(STALL_SECONDS + 0.5)
    process.send_signal(signal.SIGCONT)
    assert text_of(answer.result(LIMIT_SECONDS)) == "abcdefghij" * 20
    assert client.get("/health").status_code == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(LIMIT_SECONDS) == 0
