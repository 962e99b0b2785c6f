"""Host names that the server answers to: the defence against DNS rebinding.

A web page can let its own host name resolve to 127.0.0.1 after it has loaded. The browser then
treats this server as the page's origin, and CORS does not apply; but the Host header shows it.
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
    """Return the names of the settings, with loopback on a loopback address; or ANY."""
    given = frozenset(name.lower() for name in settings.allowed_hosts)
    if not is_loopback(settings.host):
        return given or frozenset({ANY})
    return given | {LOOPBACK}


class AllowedHosts:
    """Answers 403 to a request with any other name."""

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. HTTP/1.0 allows one without a Host, which no browser sends."""
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
    """Tell whether a name always means this machine."""
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name == LOOPBACK or name.endswith(f".{LOOPBACK}")
