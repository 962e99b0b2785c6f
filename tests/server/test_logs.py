"""Both forms of a line hold the same facts."""

import json
import logging
import sys

from sterna.server.logs import JsonFormatter, TextFormatter


def record(**extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord(
        {"name": "server", "levelname": "INFO", "msg": "a %s", "args": ("b",)}
    )
    made.created, made.msecs = 1_795_500_000.25, 250.0
    made.__dict__.update(extra)
    return made


def test_text() -> None:
    line = TextFormatter().format(record(fields={"status": 200, "path": "/v1"}))
    assert line == "2026-11-24T06:00:00.250Z INFO server: a b status=200 path=/v1"


def test_a_path_cannot_pass_for_another_line_or_field() -> None:
    line = TextFormatter().format(record(fields={"path": "/\nforged status=200", "status": 404}))
    assert line.endswith(r' a b path="/\nforged status=200" status=404')


def test_json_with_a_traceback_is_one_line() -> None:
    try:
        raise ZeroDivisionError("oops")
    except ZeroDivisionError:
        line = JsonFormatter().format(record(fields={"status": 200}, exc_info=sys.exc_info()))
    assert "\n" not in line
    fields = json.loads(line)
    assert "ZeroDivisionError: oops" in fields.pop("traceback")
    assert fields == {
        "time": "2026-11-24T06:00:00.250Z",
        "level": "info",
        "logger": "server",
        "message": "a b",
        "status": 200,
    }
