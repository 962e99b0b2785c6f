"""API keys, checked before anything else of a request.

Without a configured key, everyone has access. Keys never appear in log lines, errors or reprs.
"""

from collections.abc import Collection
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from sterna.engine import ConfigError, read_regular
from sterna.server.error_answers import render
from sterna.server.errors import UnauthorizedError
from sterna.server.settings import Settings, option

OPEN_PATHS = frozenset({"/health", "/health/live", "/health/ready", "/ping"})
METRICS_PATH = "/metrics"


def load_keys(settings: Settings) -> tuple[str, ...]:
    """Return the keys of the settings and of the key file. Raises ConfigError."""
    keys = tuple(key.get_secret_value() for key in settings.api_key)
    return keys if settings.api_key_file is None else keys + _read_keys(settings.api_key_file)


def open_paths(settings: Settings) -> frozenset[str]:
    """Return the paths that need no key."""
    return OPEN_PATHS | {METRICS_PATH} if settings.metrics_public else OPEN_PATHS


class ApiKeys:
    """Answers 401 to a request without a valid key.

    A key is sent as ``Authorization: Bearer KEY``, or as ``x-api-key: KEY``.
    """

    def __init__(self, app: ASGIApp, keys: Collection[str], open_paths: Collection[str]) -> None:
        self._app = app
        self._digests = [_digest(key) for key in keys]
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in self._open_paths or self._is_known(scope):
            await self._app(scope, receive, send)
        else:
            await render(UnauthorizedError(), scope)(scope, receive, send)

    def _is_known(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = [headers.get("x-api-key", ""), token if scheme.lower() == "bearer" else ""]
        return self._is_key(given[0]) | self._is_key(given[1])

    def _is_key(self, text: str) -> bool:
        """Return whether a key is valid, in constant time."""
        digest = _digest(text.strip())
        return sum(compare_digest(digest, known) for known in self._digests) > 0


def _digest(key: str) -> bytes:
    return sha256(key.encode()).digest()


def _read_keys(path: Path) -> tuple[str, ...]:
    name = option("api_key_file")
    try:
        keys = tuple(read_regular(path).decode("ascii").split())
    except OSError as error:
        raise ConfigError(f"{name} {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{name} {path}: keys must be ASCII") from None
    if not keys:
        raise ConfigError(f"{name} {path}: contains no keys")
    return keys
