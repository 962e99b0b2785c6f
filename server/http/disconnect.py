"""A client that leaves while its response is made in one piece takes the work with it.

A streamed response needs none of this: sending it notices.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request

from sterna.server.errors import InvalidRequestError

T = TypeVar("T")


class ClientDisconnectedError(InvalidRequestError):
    """The client left; nobody reads this answer but the access log. 499 is nginx's number."""

    status = 499


async def until_disconnect(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``, which is cancelled as soon as the client leaves.

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
