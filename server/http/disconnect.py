"""Cancels work for a response without streaming when the client disconnects.

A streamed response does not need this, because sending fails.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request

from sterna.server.errors import InvalidRequestError

T = TypeVar("T")


class ClientDisconnectedError(InvalidRequestError):
    """The client disconnected. Only the access log sees the status; 499 is nginx's."""

    status = 499


async def until_disconnect(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return the result of ``work``, or cancel it as soon as the client disconnects.

    The body must have been read. Raises ClientDisconnectedError, or what ``work`` raises.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnectedError("The client has disconnected.")
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
