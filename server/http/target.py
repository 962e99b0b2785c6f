"""The target of a request: the path that its URL means, and HEAD as GET without a body."""

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from sterna.server.settings import PREFIX

PREFIX_HEADER = "x-forwarded-prefix"


class MeantPath:
    """Changes the path to that of the routes: without a proxy's prefix and needless slashes.

    The proxy may have removed the prefix already.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            path = scope["path"]
            prefix = self._prefix or forwarded_prefix(scope)
            if prefix or "//" in path or path.endswith("/"):
                scope = {**scope, "path": meant_path(path, prefix), "root_path": prefix}
        await self._app(scope, receive, send)


def meant_path(path: str, prefix: str) -> str:
    """Return the path without the prefix, double slashes and a final one."""
    path = re.sub("//+", "/", f"{path}/")
    if path.startswith(f"{prefix}/"):
        path = path.removeprefix(prefix)
    return path.rstrip("/") or "/"


def forwarded_prefix(scope: Scope) -> str:
    """Return the prefix that a proxy names; empty unless it is a path, as the page contains it."""
    prefix = Headers(scope=scope).get(PREFIX_HEADER, "").rstrip("/")
    return prefix if re.fullmatch(PREFIX, prefix) else ""


class HeadAsGet:
    """Passes HEAD to the routes as GET; the server leaves out the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        asked = {**scope, "method": "GET"}
        try:
            await self._app(asked, receive, send)
        finally:
            if "route" in asked:
                scope["route"] = asked["route"]  # for the log
