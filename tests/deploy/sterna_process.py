"""A server of the built-in model in a process of its own, as one runs it."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a URL answers with success."""
    while process.poll() is None:
        try:
            httpx.get(url).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise AssertionError(f"ended with code {process.returncode}")


@contextmanager
def started(command: list[str], url: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command until the block ends; enter it once the URL answers."""
    with subprocess.Popen(command, env=environment or None) as process:
        try:
            wait_for(url, process)
            yield process
        finally:
            process.terminate()


@contextmanager
def sterna(cache: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """``sterna serve`` on a free port: its process and address."""
    address = f"127.0.0.1:{free_port()}"
    options = {"--port": address.rpartition(":")[2], "--cache-dir": str(cache), "--threads": "1"}
    command = [sys.executable, "-m", "sterna", "serve", "--kv-cache-tokens", "4096"]
    command += [word for option in options.items() for word in option]
    with started(command, f"http://{address}/health/ready") as process:
        yield process, address
