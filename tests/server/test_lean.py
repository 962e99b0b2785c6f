"""A server is as lean as its weights: what is heavy stays out of the process until it is needed."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from sterna.engine import ProcessMemory
from tests.deploy.sterna_process import free_port, started

HEAVY = ("torch", "transformers", "safetensors", "scipy", "pandas")
MAX_RESIDENT_BYTES = 110_000_000  # before the first request; 7 MB of it are the model
BODY = {"model": "sterna-builtin", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def trapped(tmp_path: Path) -> dict[str, str]:
    """An environment in which importing what is heavy fails."""
    for name in HEAVY:
        (tmp_path / f"{name}.py").write_text(f"raise AssertionError('{name} is imported')\n")
    return os.environ | {"PYTHONPATH": str(tmp_path)}


def test_serving_imports_nothing_heavy_and_stays_small(
    trapped: dict[str, str], tmp_path: Path
) -> None:
    port = free_port()
    command = [sys.executable, "-m", "sterna", "serve", "--port", str(port)]
    command += ["--cache-dir", str(tmp_path / "cache"), "--threads", "1"]
    url = f"http://127.0.0.1:{port}"
    with started(command, f"{url}/health/ready", **trapped):
        pass  # packs the weights: another start, whose memory is not counted
    with started(command, f"{url}/health/ready", **trapped) as process:
        root = tmp_path / "root"
        (root / "proc").mkdir(parents=True)
        (root / "proc/self").symlink_to(f"/proc/{process.pid}")
        resident = ProcessMemory.read(root).resident_bytes
        answer = httpx.post(f"{url}/v1/chat/completions", json=BODY | {"max_tokens": 4})
        assert answer.json()["usage"]["completion_tokens"] == 4
    assert resident is None or resident <= MAX_RESIDENT_BYTES


@pytest.mark.parametrize("command", ["--help", "serve --help", "synth --help", "bench --help"])
def test_help_imports_nothing_heavy(command: str, trapped: dict[str, str]) -> None:
    words = [sys.executable, "-m", "sterna", *command.split()]
    assert b"usage: sterna" in subprocess.run(words, env=trapped, check=True, stdout=-1).stdout
