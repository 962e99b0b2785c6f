"""``sterna bench`` as a user types it. What kernels and model measure is tested where they live."""

import asyncio
import json
from unittest.mock import Mock

import pytest

from sterna.server.__main__ import main
from tests.server.bench.peer import Peer
from tests.server.serving import serve

KEYS = {
    "prompt_tokens",
    "output_tokens",
    "requests_per_client",
    "turns",
    "objective",
    "servers",
    "results",
    "url_over_vs",
}
RESULT_KEYS = {
    "url",
    "clients",
    "requests",
    "errors",
    "output_tokens",
    "output_tok_per_s",
    "ttft_ms_p50",
    "ttft_ms_p99",
    "itl_ms_p50",
    "itl_ms_p99",
    "goodput_req_per_s",
    "joules_per_output_token",
    "energy_source",
}


async def bench_http(*options: str) -> int:
    return await asyncio.to_thread(main, ["bench", "http", *options])


async def test_json_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    async with serve(Peer().app()) as url, serve(Peer().app()) as vs_url:
        options = ["--url", url, "--vs", vs_url, "--clients", "1,2", "--requests-per-client", "1"]
        assert await bench_http(*options, "--json") == 0
    output = capsys.readouterr()
    assert output.err == ""
    figures = json.loads(output.out)
    assert set(figures) == KEYS
    assert [set(row) for row in figures["results"]] == [RESULT_KEYS] * 4
    assert [row["clients"] for row in figures["url_over_vs"]] == [1, 2]
    assert figures["objective"] == {"ttft_seconds": 5.0, "itl_ms": 250.0}


async def test_a_table_names_the_objective_and_the_errors(
    capsys: pytest.CaptureFixture[str],
) -> None:
    peer = Peer(statuses=[200, 200, 429])
    async with serve(peer.app()) as url:
        options = ["--clients", "1", "--requests-per-client", "2", "--itl-objective", "77"]
        assert await bench_http("--url", url, *options) == 0
    output = capsys.readouterr().out
    assert "77" in output
    assert "http 429: 1" in output


async def test_a_table_too_wide_to_read_has_a_line_for_each_figure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with serve(Peer().app()) as url:
        options = ["--clients", "1,2", "--requests-per-client", "1"]
        assert await bench_http("--url", url, *options) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 120
    assert ["clients", "1", "2"] in [line.split() for line in lines]


async def test_a_server_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert await bench_http("--url", "http://127.0.0.1:1") == 2
    error = capsys.readouterr().err
    assert error.startswith("sterna: error: http://127.0.0.1:1/v1/models: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("clients", ["0", "1,x", ""])
def test_refuses_what_is_no_number_of_clients(
    clients: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["bench", "http", "--url", "http://127.0.0.1:1", "--clients", clients])
    assert caught.value.code == 2
    assert "--clients" in capsys.readouterr().err


@pytest.mark.parametrize("benchmark", ["kernels", "model"])
@pytest.mark.parametrize("threads", ["0", "-3", "two", "100000"])
def test_refuses_what_is_no_number_of_threads(
    benchmark: str, threads: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", benchmark, f"--threads={threads}"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("sterna: error: --threads ")
    assert threads in error
    assert error.count("\n") == 1


def test_the_engine_is_measured_as_its_settings_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By option or variable; but not with fewer requests than it measures."""
    bench_model = Mock()
    bench_model.return_value.to_dict.return_value = {}
    monkeypatch.setattr("sterna.server.commands.bench_model.bench_model", bench_model)
    for name, value in {"THREADS": "3", "HEAD": "int8", "MAX_BATCH_REQUESTS": "1"}.items():
        monkeypatch.setenv(f"STERNA_{name}", value)
    assert main(["bench", "model", "--head", "bf16", "--kv-dtype", "int8"]) == 0
    config = bench_model.call_args.args[0]
    assert (config.num_threads, config.head, config.kv_dtype) == (3, "bf16", "int8")
    assert (config.max_batch_requests, config.kv_cache_tokens) == (64, 8192)
