"""What a head means; what it must not be is tried on the wire, in test_connection."""

import pytest

from sterna.server.http.request_head import origin_form, without_upgrade


@pytest.mark.parametrize(
    ("target", "path", "host"),
    [
        (b"/a?b", b"/a?b", b"x"),
        (b"*", b"*", b"x"),
        (b"http://y:1/a?b", b"/a?b", b"y:1"),
        (b"http://y", b"/", b"y"),
        (b"http://[::1]:80", b"/", b"[::1]:80"),
        (b"http://user@y/", b"/", b"y"),
    ],
)
def test_an_absolute_target_s_host_is_the_host(target: bytes, path: bytes, host: bytes) -> None:
    headers = [(b"a", b"b"), (b"host", b"x")]
    assert origin_form(target, headers) == path
    assert dict(headers) == {b"a": b"b", b"host": host}


def test_without_the_upgrade_the_rest_stays() -> None:
    headers = [(b"host", b"x"), (b"upgrade", b"h2c"), (b"connection", b"upgrade")]
    head = b"GET /a HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n\r\n"
    assert without_upgrade(b"GET", b"/a", headers) == head
