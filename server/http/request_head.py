"""Checks of a request's head beyond the parser's, and the meaning of its target.

The parser, llhttp, refuses a bare LF, folded lines, and repeated or mixed lengths. With the checks
below, no proxy in front of the server can read a request differently.
"""

from collections.abc import Sequence

import httptools

Header = tuple[bytes, bytes]


class MalformedRequestError(Exception):
    """The received bytes are not a valid HTTP request; the message says why."""


def check_head(method: bytes, version: str, headers: Sequence[Header]) -> None:
    """Raise MalformedRequestError for a head that others may read differently."""
    if method == b"CONNECT":
        raise MalformedRequestError("CONNECT is for proxies")
    if version not in ("1.0", "1.1"):
        raise MalformedRequestError(f"HTTP/{version} is not supported")
    hosts, codings = (_values(headers, name) for name in (b"host", b"transfer-encoding"))
    if len(hosts) > 1:
        raise MalformedRequestError("more than one Host header")
    if not hosts and version == "1.1":
        raise MalformedRequestError("no Host header")
    if codings and (version == "1.0" or [coding.lower() for coding in codings] != [b"chunked"]):
        raise MalformedRequestError("the only Transfer-Encoding is chunked, of HTTP/1.1")


def origin_form(target: bytes, headers: list[Header]) -> bytes:
    """Return path and query of the target; the host of an absolute one replaces the Host header."""
    if target.startswith(b"/") or target == b"*":
        return target
    url = httptools.parse_url(target)
    host = b"[%s]" % url.host if b":" in url.host else url.host
    authority = host if url.port is None else b"%s:%d" % (host, url.port)
    headers[:] = [(b"host", authority), *(header for header in headers if header[0] != b"host")]
    return (url.path or b"/") + (b"?" + url.query if url.query else b"")


def without_upgrade(method: bytes, target: bytes, headers: Sequence[Header]) -> bytes:
    """Return the head without its request to change protocols, which a server may ignore."""
    kept = (b"%s: %s\r\n" % header for header in headers if header[0] != b"upgrade")
    return b"%s %s HTTP/1.1\r\n%s\r\n" % (method, target, b"".join(kept))


def _values(headers: Sequence[Header], name: bytes) -> list[bytes]:
    return [value for key, value in headers if key == name]
