"""The container image: built by `make image`, run by the lines of the README, word for word.

The image beneath it is a stand-in, see container_host.py.
"""

import json
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.deploy.container_host import BASE_IMAGE, ContainerHost, container_host, missing
from tests.deploy.pip_source import build_options

pytestmark = pytest.mark.image

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
URL = "localhost:8000"
LIMIT_SECONDS = 120
LONG = {"model": "sterna-builtin", "prompt": "A fox", "max_tokens": 400, "ignore_eos": True}


@pytest.fixture(scope="module")
def host() -> Iterator[ContainerHost]:
    if needs := missing():
        pytest.fail(f"make test-image cannot run here: {needs}", pytrace=False)
    with container_host() as host:
        host.import_base_image()
        options = ["--pull=never", "--format=docker", *build_options(host.folder)]
        build = ["make", "-C", str(ROOT), "image", f"ARGS={' '.join(options)}"]
        host.output(*build, isolated=False)
        yield host


def docker_lines() -> list[str]:
    """What the README says to type, without the remarks behind it."""
    found = re.findall(r"^docker run .*$", README, re.MULTILINE)
    return [re.sub(r"\s+#.*", "", line) for line in found]


def wait_until_ready(host: ContainerHost) -> None:
    while host.run("curl", "-fs", f"{URL}/health/ready").returncode != 0:
        assert host.output("docker", "ps", "--quiet"), "the container has ended"
        time.sleep(0.2)


@contextmanager
def running(host: ContainerHost, line: str) -> Iterator[str]:
    """Start a line of the README in the background; yield the container's id once it is ready."""
    assert not host.output("docker", "ps", "--quiet"), "another container has the port"
    process = host.start("sh", "-c", f"exec {line}")
    try:
        while not (container := host.output("docker", "ps", "--quiet", "--filter=status=running")):
            assert process.poll() is None
            time.sleep(0.2)
        wait_until_ready(host)
        yield container
    finally:
        host.run("docker", "rm", "--all", "--force", "--time=0")
        process.communicate()


def ask(body: dict[str, object]) -> list[str]:
    url, header = f"{URL}/v1/completions", "content-type: application/json"
    return ["curl", "-sSN", url, "-H", header, "-d", json.dumps(body)]


@pytest.fixture
def builtin(host: ContainerHost) -> Iterator[str]:
    """The README's first line, which serves the built-in model."""
    with running(host, docker_lines()[0]) as container:
        yield container


def test_the_readmes_request_is_answered(host: ContainerHost, builtin: str) -> None:
    (command,) = re.findall(r"^curl .*?\}'$", README, re.MULTILINE | re.DOTALL)
    answer = json.loads(host.output("sh", "-c", f"{command} -s"))
    assert answer["choices"][0]["message"]["content"]


def test_an_answer_is_streamed(host: ContainerHost, builtin: str) -> None:
    lines = host.output(*ask({**LONG, "stream": True})).splitlines()
    events = [line for line in lines if line.startswith("data: ")]
    assert len(events) > 3
    assert events[-1] == "data: [DONE]"


def test_the_server_is_process_1_without_rights(host: ContainerHost, builtin: str) -> None:
    status = host.output("docker", "exec", builtin, "cat", "/proc/1/status")
    assert re.search(r"^Uid:\t10001\t", status, re.MULTILINE)
    assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE)
    command = host.output("docker", "exec", builtin, "cat", "/proc/1/cmdline")
    assert command.split("\0")[1].endswith("/sterna")


def test_packed_weights_stay_in_the_volume(host: ContainerHost, builtin: str) -> None:
    line = re.sub(r" sterna$", " --entrypoint find sterna /cache/sterna -type f", docker_lines()[0])
    assert host.output("sh", "-c", line)


def test_health_check_tells_a_ready_server_from_another(host: ContainerHost, builtin: str) -> None:
    healthcheck = "{{json .Config.Healthcheck.Test}}"
    inspected = host.output("docker", "image", "inspect", f"--format={healthcheck}", "sterna")
    form, *command = json.loads(inspected)
    assert form == "CMD"
    host.output("docker", "exec", builtin, *command)
    elsewhere = ["docker", "exec", "--env=STERNA_PORT=1", builtin, *command]
    assert host.run(*elsewhere).returncode == 1


def exit_code(host: ContainerHost, container: str) -> str:
    return host.output("docker", "inspect", "--format={{.State.ExitCode}}", container)


def test_a_stop_drains(host: ContainerHost) -> None:
    with running(host, docker_lines()[0]) as container:
        stream = host.start(*ask({**LONG, "stream": True}))
        assert stream.stdout
        first = stream.stdout.readline()
        host.output("docker", "stop", "--time=60", container)
        rest, _ = stream.communicate()
        assert exit_code(host, container) == "0"
    assert first.startswith("data: ")
    assert '"finish_reason":"length"' in rest
    assert rest.rstrip().endswith("data: [DONE]")


def hears_sigterm(host: ContainerHost, container: str) -> bool:
    status = host.run("docker", "exec", container, "cat", "/proc/1/status").stdout
    found = re.search(r"^SigCgt:\t(\w+)$", status, re.MULTILINE)
    return bool(found and int(found[1], 16) & 1 << (signal.SIGTERM - 1))


def test_a_stop_while_loading_ends_at_once(host: ContainerHost) -> None:
    container = host.output("docker", "run", "--detach", "sterna")
    deadline = time.monotonic() + LIMIT_SECONDS
    while not hears_sigterm(host, container):  # Python starts
        assert time.monotonic() < deadline, "process 1 does not hear SIGTERM"
        time.sleep(0.02)
    host.output("docker", "stop", "--time=60", container)
    code = exit_code(host, container)
    host.output("docker", "rm", container)
    assert code in {"143", "0"}  # 137: it had to be killed. 0: it was up already


def test_a_read_only_root_is_enough(host: ContainerHost) -> None:
    options = "--read-only --read-only-tmpfs=false --cap-drop=ALL --security-opt=no-new-privileges"
    with running(host, docker_lines()[0].replace("docker run", f"docker run {options}")) as found:
        assert host.run("docker", "exec", found, "touch", "/opt/x", "/tmp/x").returncode != 0
        answer = json.loads(host.output(*ask({**LONG, "max_tokens": 4})))
    assert answer["usage"]["completion_tokens"] == 4


def test_a_model_that_cannot_be_had_is_named(host: ContainerHost) -> None:
    """The README's second line: there is no network here, so it must say so."""
    ran = host.run("sh", "-c", docker_lines()[1])
    assert ran.returncode == 2
    assert "microsoft/bitnet-b1.58-2B-4T" in ran.stderr


def test_the_documented_size_is_true(host: ContainerHost) -> None:
    def size(image: str) -> int:
        return int(host.output("docker", "image", "inspect", "--format={{.Size}}", image))

    text = (ROOT / "docs/operations.md").read_text()
    (documented,) = re.findall(r"adds (\d+) MB to the image of Python", text)
    assert (size("sterna") - size(BASE_IMAGE)) / 1e6 == pytest.approx(int(documented), rel=0.1)


def test_nothing_of_the_build_is_left(host: ContainerHost) -> None:
    tools = ["cmake", "ninja", "zig", "pip", "gcc"]
    found = [f"command -v {tool};" for tool in tools]
    line = ["docker", "run", "--rm", "--entrypoint=sh", "sterna", "-c", " ".join(found)]
    assert host.run(*line).stdout == ""
