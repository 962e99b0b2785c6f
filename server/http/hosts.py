"""Which names this server goes by, so that no web page gets at it under a name of its own.

A page may have its own host's name lead to 127.0.0.1 once it is loaded (DNS rebinding). To the
browser, the server is then of the page's origin, and CORS is no defence; but the Host header tells.
"""

import re
from collections.abc import Collection
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from sterna.server.error_answers import render
from sterna.server.errors import HostNotAllowedError
from sterna.server.settings import Settings

ANY = "*"
LOOPBACK = "localhost"
_AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:]*)(:\d*)?")


def allowed_hosts(settings: Settings) -> frozenset[str]:
    """Names from the settings, and those of loopback if that is all where we listen; or ANY."""
    given = frozenset(name.lower() for name in settings.allowed_hosts)
    if not is_loopback(settings.host):
        return given or frozenset({ANY})
    return given | {LOOPBACK}


class AllowedHosts:
    """Answers 403 to a request under any other name."""

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. One of HTTP/1.0 may have no Host: no browser sends that."""
        host = Headers(scope=scope).get("host") if scope["type"] == "http" else None
        if host is None or self._is_ours(host):
            await self._app(scope, receive, send)
        else:
            await render(HostNotAllowedError(host), scope)(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        authority = _AUTHORITY.fullmatch(host.lower())
        name = authority[1].strip("[]").removesuffix(".") if authority else ""
        return name in self._hosts or (LOOPBACK in self._hosts and is_loopback(name))


def is_loopback(name: str) -> bool:
    """Whether a name leads to this machine wherever it is looked up."""
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name == LOOPBACK or name.endswith(f".{LOOPBACK}")
