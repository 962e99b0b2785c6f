"""One request and its response between Serve's side and the app's: ASGI without a socket."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

from deploy.ray.http_message import HttpRequest, ResponseHead

Message = MutableMapping[str, Any]


class Exchange:
    """The app calls ``receive`` and ``send``; the other side ``head``, then ``piece``."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._is_read = False
        self._ended = asyncio.Event()
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue()

    def scope(self) -> Message:
        """What ASGI says of the request."""
        request = self._request
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": request.path,
            "raw_path": request.path.encode(),
            "query_string": request.query,
            "root_path": "",
            "headers": request.headers,
            "client": None,
            "server": None,
        }

    async def receive(self) -> Message:
        """The body, whole; later, that the client is gone, once it is."""
        if not self._is_read:
            self._is_read = True
            return {"type": "http.request", "body": self._request.body, "more_body": False}
        await self._ended.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take a part of the response. Raises OSError once nobody reads it, as a socket would."""
        if self._ended.is_set():
            raise OSError("the client is gone")
        self._messages.put_nowait(message)

    def end(self) -> None:
        """Tell either side that the other is done. More than once does nothing."""
        self._ended.set()
        self._messages.put_nowait(None)

    async def head(self) -> ResponseHead:
        """The first part. Raises RuntimeError if the app ended without any."""
        message = await self._messages.get()
        if message is None:
            raise RuntimeError("the app gave no response")
        return ResponseHead(message["status"], list(message.get("headers", [])))

    async def piece(self) -> bytes:
        """The next bytes of the body, as many as there are by now; none at its end."""
        body = b""
        while not body or not self._messages.empty():
            message = await self._messages.get()
            if message is None:
                self._messages.put_nowait(None)  # it stays at its end
                return body
            body += message.get("body", b"")
        return body
