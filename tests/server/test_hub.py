"""Models from a hub on loopback, with the real client library in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from sterna.engine import CheckpointError, synthesize_gguf
from sterna.server.hub import choose
from tests.deploy.sterna_process import free_port, started
from tests.server.fake_hub import fake_hub

REPO = "owner/model"
FILES = {"Bonsai-PQ2_0.gguf": 3, "Bonsai-Q2_0.gguf": 2, "Bonsai.F16.gguf": 9}


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ("PQ2_0", "Bonsai-PQ2_0.gguf"),
        ("q2_0", "Bonsai-Q2_0.gguf"),
        ("F16", "Bonsai.F16.gguf"),
        ("Bonsai-Q2_0.gguf", "Bonsai-Q2_0.gguf"),
    ],
)
def test_a_quantization_or_a_name_chooses(which: str, expected: str) -> None:
    assert choose(f"{REPO}:{which}", FILES) == expected


@pytest.mark.parametrize(
    ("model", "what"),
    [(REPO, "several GGUF files match it"), (f"{REPO}:Q9", "no GGUF file matches Q9")],
)
def test_what_does_not_choose_one_lists_all_with_their_sizes(model: str, what: str) -> None:
    sizes = {name: size * 10**9 for name, size in FILES.items()}
    with pytest.raises(CheckpointError, match=rf"^{model}: {what}; pass {REPO}:FILE") as caught:
        choose(model, sizes)
    assert "Bonsai-PQ2_0.gguf (3.00 GB), Bonsai-Q2_0.gguf (2.00 GB)" in str(caught.value)


def environment(hub: str, home: Path) -> dict[str, str]:
    return os.environ | {
        "HF_ENDPOINT": hub, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1",
    }  # fmt: skip


def test_a_gguf_file_of_a_repository_is_served(tmp_path: Path) -> None:
    """Only the file that is meant is downloaded."""
    (tmp_path / "repo").mkdir()
    synthesize_gguf("small-qwen3", tmp_path / "repo/small-PQ2_0.gguf", "PQ2_0")
    (tmp_path / "repo/small-F16.gguf").write_bytes(b"not to be downloaded")
    port = free_port()
    command = [sys.executable, "-m", "sterna", "serve", f"{REPO}:pq2_0", "--port", str(port)]
    command += ["--cache-dir", str(tmp_path / "cache"), "--threads", "1"]
    command += ["--kv-cache-tokens", "2048"]
    url = f"http://127.0.0.1:{port}"
    with fake_hub(REPO, tmp_path / "repo") as hub:
        variables = environment(hub, tmp_path / "home")
        with started(command, f"{url}/health/ready", **variables):
            body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 3}
            answer = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=60).json()
    assert answer["model"] == f"{REPO}:pq2_0"
    assert answer["usage"]["completion_tokens"] == 3
    assert [path.name for path in (tmp_path / "home").rglob("*.gguf")] == ["small-PQ2_0.gguf"]


def test_a_repository_of_several_is_refused_before_listening(tmp_path: Path) -> None:
    (tmp_path / "repo").mkdir()
    for name in ("a-PQ2_0.gguf", "a-Q2_0.gguf"):
        (tmp_path / "repo" / name).write_bytes(b"x" * 1000)
    with fake_hub(REPO, tmp_path / "repo") as hub:
        done = subprocess.run(
            [sys.executable, "-m", "sterna", "serve", REPO, "--port", "0"],
            env=environment(hub, tmp_path / "home"),
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 2
    assert b"several GGUF files match it; pass owner/model:FILE with one of: a-PQ2_0" in done.stderr
    assert not list((tmp_path / "home").rglob("*.gguf"))
