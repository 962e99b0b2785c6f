"""Finds out how to use a server: its model's name, its path, the fields it accepts."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import httpx

from sterna.engine import ConfigError
from sterna.server.bench.endpoint import CHAT_COMPLETIONS, COMPLETIONS, Endpoint, base_of
from sterna.server.bench.stream import timed_request

# Answers of equal length, and their tokens counted, where the server can; best first.
_USAGE: Final = {"stream_options": {"include_usage": True}}
_NO_END: Final = {"ignore_eos": True}
_EXTRAS: Final[tuple[Mapping[str, Any], ...]] = ({**_USAGE, **_NO_END}, _USAGE, _NO_END, {})
_REFUSED: Final = ("http 400", "http 422")


async def find_endpoint(client: httpx.AsyncClient, url: str, model: str | None = None) -> Endpoint:
    """Return an endpoint that streams, tried with short requests: completions, then chat.

    With ``model`` None, the first that the server lists is used. Raises ConfigError.
    """
    base_url = base_of(url)
    model = model or await _first_model(client, base_url)
    errors = []
    for path in (COMPLETIONS, CHAT_COMPLETIONS):
        endpoint, error = await _try_path(client, Endpoint(base_url, path, model))
        if error is None:
            return endpoint
        errors.append(f"{path}: {error}")
    raise ConfigError(f"{url}: could not stream text from model {model!r} ({', '.join(errors)})")


async def _try_path(client: httpx.AsyncClient, endpoint: Endpoint) -> tuple[Endpoint, str | None]:
    """Drop extra fields until none is refused. Returns the endpoint, and the last error."""
    error: str | None = None
    for extras in _EXTRAS:
        endpoint = replace(endpoint, extras=extras)
        error = (await timed_request(client, endpoint, "Hello", 2)).error
        if error not in _REFUSED:
            break
    return endpoint, error


async def _first_model(client: httpx.AsyncClient, base_url: str) -> str:
    url = f"{base_url}/v1/models"
    try:
        response = await client.get(url)
        return str(response.raise_for_status().json()["data"][0]["id"])
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(f"{url}: {reason}") from None
    except (ValueError, TypeError, LookupError):
        raise ConfigError(f"{url}: lists no model; name one with --model") from None
