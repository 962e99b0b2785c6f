"""One streamed request, with the time of each chunk of its answer."""

import json
from collections.abc import Mapping
from time import perf_counter
from typing import Any

import httpx

from sterna.server.bench.endpoint import Endpoint
from sterna.server.bench.trace import Trace


async def timed_request(
    client: httpx.AsyncClient, endpoint: Endpoint, prompt: str, max_tokens: int
) -> Trace:
    """Send a prompt and read the whole answer. Errors are in the trace, not raised."""
    recorder = _Recorder()
    body = endpoint.stream_body(prompt, max_tokens)
    try:
        async with client.stream("POST", endpoint.url, json=body) as response:
            if not response.is_success:
                return Trace(error=f"http {response.status_code}")
            async for line in response.aiter_lines():
                recorder.read(line)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Trace(error=type(error).__name__)
    except (ValueError, TypeError, LookupError, AttributeError):
        return Trace(error="malformed event")
    return recorder.trace()


class _Recorder:
    """Records the lines of an event stream as they arrive."""

    def __init__(self) -> None:
        self._start = perf_counter()
        self._chunk_seconds: list[float] = []
        self._counted_tokens: int | None = None
        self._has_ended = False
        self._has_failed = False

    def read(self, line: str) -> None:
        """Record one line. Raises various errors for JSON of an unexpected form."""
        seconds = perf_counter() - self._start
        field, _, value = line.partition(":")
        if field != "data":
            return
        if value.strip() == "[DONE]":
            self._has_ended = True
        else:
            self._read_event(json.loads(value), seconds)

    def trace(self) -> Trace:
        """Return the trace, after the last line."""
        if self._has_failed or not self._has_ended:
            return Trace(error="error event" if self._has_failed else "cut short")
        counted = self._counted_tokens
        tokens = len(self._chunk_seconds) if counted is None else counted
        return Trace(tuple(self._chunk_seconds), tokens, counted is not None)

    def _read_event(self, event: Mapping[str, Any], seconds: float) -> None:
        self._has_failed |= bool(event.get("error"))
        if usage := event.get("usage"):
            self._counted_tokens = int(usage["completion_tokens"])
        for choice in event.get("choices") or ():
            self._has_ended |= bool(choice.get("finish_reason"))
            if _text(choice):
                self._chunk_seconds.append(seconds)


def _text(choice: Mapping[str, Any]) -> str | None:
    """Return the text of a chunk, including reasoning."""
    delta = choice.get("delta") or {}
    return choice.get("text") or delta.get("content") or delta.get("reasoning_content")
