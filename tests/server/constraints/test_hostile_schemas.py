"""Numbers at the limits of machines, in every place of the API: a 400 or a valid answer, and on.

The server is a process of its own: what ends it fails the test, not all tests.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from sterna.server.checkpoint import BUILTIN_NAME
from tests.server.scripted import LIMIT_SECONDS

COMMAND = [sys.executable, "-m", "sterna", "serve", "--port=0", "--threads=1"]
INT64 = 2**63
HOSTILE: list[dict[str, Any]] = [
    {"const": -INT64},
    {"enum": [1, -INT64]},
    {"const": [{"a": -INT64}]},
    {"const": INT64 - 1},
    {"const": -INT64 + 1},
    {"const": -INT64 - 1},
    {"const": -1e300, "type": "integer"},
    {"type": "integer", "minimum": -INT64},
    {"type": "integer", "minimum": -INT64, "maximum": INT64 - 1},
    {"type": "integer", "maximum": -INT64},
    {"type": "integer", "exclusiveMaximum": -INT64 + 1},
    {"type": "integer", "minimum": -1e300, "maximum": -INT64},
    {"type": "integer", "minimum": -1e300, "maximum": 1e300},
    {"type": "integer", "minimum": 2**64 - 2},
    {"type": "number", "minimum": -(10**400)},
    {"type": "integer", "allOf": [{"const": -1e300}]},
    {"type": "array", "minItems": 2**64},
    {"type": "string", "maxLength": 2**64},
]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    cache = f"--cache-dir={tmp_path_factory.mktemp('cache')}"
    log = Path(tmp_path_factory.mktemp("log")) / "stderr"
    with log.open("w") as stderr, subprocess.Popen([*COMMAND, cache], stderr=stderr) as process:
        url = f"http://127.0.0.1:{port_in(log, process)}"
        with httpx.Client(base_url=url, timeout=LIMIT_SECONDS) as client:
            yield client
        process.terminate()


def port_in(log: Path, process: "subprocess.Popen[bytes]") -> str:
    while process.poll() is None:
        if found := re.search(r"running on http://127\.0\.0\.1:(\d+)", log.read_text()):
            return found[1]
    raise AssertionError(log.read_text())


def tool_parameters(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"it": schema}, "required": ["it"]}


def chat(schema: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    form = {"type": "json_schema", "json_schema": {"name": "it", "schema": schema}}
    return "/v1/chat/completions", {"response_format": form}


def tool(schema: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    function = {"name": "f", "parameters": tool_parameters(schema)}
    tools = {"tools": [{"type": "function", "function": function}], "tool_choice": "required"}
    return "/v1/chat/completions", tools


def messages(schema: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    tools = [{"name": "f", "input_schema": tool_parameters(schema)}]
    return "/v1/messages", {"tools": tools, "tool_choice": {"type": "any"}}


def lark(schema: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    grammar = f"start: %json {json.dumps(schema)}"
    return "/v1/chat/completions", {"structured_outputs": {"grammar": grammar}}


@pytest.mark.parametrize("place", [chat, tool, messages, lark])
@pytest.mark.parametrize("schema", HOSTILE, ids=lambda schema: json.dumps(schema)[:40])
def test_the_server_lives_on(client: httpx.Client, place: Any, schema: dict[str, Any]) -> None:
    url, fields = place(schema)
    head = {"model": BUILTIN_NAME, "messages": [{"role": "user", "content": "Hi"}]}
    response = client.post(url, json=head | {"max_tokens": 60} | fields)
    assert response.status_code in (200, 400), response.text
    if place in (chat, lark) and response.status_code == 200:
        (choice,) = response.json()["choices"]
        if choice["finish_reason"] == "stop":
            jsonschema.validate(json.loads(choice["message"]["content"]), schema)
    assert client.get("/health/live").status_code == 200
