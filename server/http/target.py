"""What a request is about: which path its URL means, and HEAD as a GET without the body."""

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from sterna.server.settings import PREFIX

PREFIX_HEADER = "x-forwarded-prefix"


class MeantPath:
    """Finds the path as the routes have it: without the prefix under which a proxy serves us.

    A proxy may take the prefix off itself, or not. Double slashes and one at the end mean nothing.
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
    """The path without the prefix and without needless slashes. prefix: as in the settings."""
    path = re.sub("//+", "/", f"{path}/")
    if path.startswith(f"{prefix}/"):
        path = path.removeprefix(prefix)
    return path.rstrip("/") or "/"


def forwarded_prefix(scope: Scope) -> str:
    """What a proxy says that it has taken off, if it is a path: pages show it, so no other is."""
    prefix = Headers(scope=scope).get(PREFIX_HEADER, "").rstrip("/")
    return prefix if re.fullmatch(PREFIX, prefix) else ""


class HeadAsGet:
    """Asks the routes for GET where a client sends HEAD; the server leaves the body out."""

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
