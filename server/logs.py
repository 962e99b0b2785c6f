"""Log lines on standard error: one record per line, as text or as JSON.

A record has its data in ``extra={"fields": {...}}``, so that both formats show the same.
"""

import json
import logging
import re
import sys
import time


class TextFormatter(logging.Formatter):
    """``2026-11-24T07:00:00.123Z INFO server: message key=value``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as a line, followed by the traceback."""
        fields = "".join(f" {key}={_shown(value)}" for key, value in _fields(record).items())
        trace = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        head = f"{_timestamp(record)} {record.levelname} {record.name}: {record.getMessage()}"
        return head + fields + trace


class JsonFormatter(logging.Formatter):
    """One JSON object per line, including the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as a JSON object."""
        line = {
            "time": _timestamp(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        } | _fields(record)
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure(level: str, form: str) -> None:
    """Send the records of all loggers to standard error. form: ``text`` or ``json``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for chatty in ("httpx", "httpx2", "filelock", "asyncio", "sse_starlette"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.root.level))


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return getattr(record, "fields", {})


def _shown(value: object) -> str:
    """Return the value, quoted unless it is one word: a path may contain any character."""
    text = str(value)
    return text if re.fullmatch(r"[!#-~]+", text) else json.dumps(text)


def _timestamp(record: logging.LogRecord) -> str:
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{seconds}.{int(record.msecs):03d}Z"
