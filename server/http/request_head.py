"""What a request's head must be beyond what the parser asks, and what its target means.

The parser, llhttp, is strict: it refuses a bare LF, folded lines, repeated or mixed lengths. What
it leaves to us is below, so that no proxy before the server can read a request in another way.
"""

from collections.abc import Sequence

import httptools

Header = tuple[bytes, bytes]


class MalformedRequestError(Exception):
    """What was received is no HTTP request; the message says why."""


def check_head(method: bytes, version: str, headers: Sequence[Header]) -> None:
    """Raise MalformedRequestError for a head that different readers may read differently."""
    if method == b"CONNECT":
        raise MalformedRequestError("this is no proxy")
    if version not in ("1.0", "1.1"):
        raise MalformedRequestError(f"HTTP/{version} is not spoken here")
    hosts, codings = (_values(headers, name) for name in (b"host", b"transfer-encoding"))
    if len(hosts) > 1:
        raise MalformedRequestError("more than one Host header")
    if not hosts and version == "1.1":
        raise MalformedRequestError("no Host header")
    if codings and (version == "1.0" or [coding.lower() for coding in codings] != [b"chunked"]):
        raise MalformedRequestError("the only Transfer-Encoding is chunked, of HTTP/1.1")


def origin_form(target: bytes, headers: list[Header]) -> bytes:
    """The target as a path with its query; an absolute target's host becomes the Host header."""
    if target.startswith(b"/") or target == b"*":
        return target
    url = httptools.parse_url(target)
    host = b"[%s]" % url.host if b":" in url.host else url.host
    authority = host if url.port is None else b"%s:%d" % (host, url.port)
    headers[:] = [(b"host", authority), *(header for header in headers if header[0] != b"host")]
    return (url.path or b"/") + (b"?" + url.query if url.query else b"")


def without_upgrade(method: bytes, target: bytes, headers: Sequence[Header]) -> bytes:
    """The same head again, but for the wish to change protocols, which a server may ignore."""
    kept = (b"%s: %s\r\n" % header for header in headers if header[0] != b"upgrade")
    return b"%s %s HTTP/1.1\r\n%s\r\n" % (method, target, b"".join(kept))


def _values(headers: Sequence[Header], name: bytes) -> list[bytes]:
    return [value for key, value in headers if key == name]
