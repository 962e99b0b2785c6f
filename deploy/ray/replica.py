"""One engine behind Sterna's own app, as a replica of Ray Serve. No second server.

The app is the one that ``sterna serve`` runs; here Serve hands it requests instead of a socket.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, suppress

from deploy.ray.exchange import Exchange
from deploy.ray.http_message import HttpRequest, ResponseHead
from deploy.ray.metrics_target import MetricsTarget
from sterna.server import logs
from sterna.server.commands.serve import load_app, quick_collections
from sterna.server.http.dependencies import Services
from sterna.server.settings import Settings


class Replica:
    """Loads the engine when it is made, and runs it until it is deleted."""

    async def __init__(  # type: ignore[misc]  # Serve awaits it
        self, options: Mapping[str, object], metrics_folder: str | None
    ) -> None:
        self._open = AsyncExitStack()
        settings = Settings.load(options)
        logs.configure(settings.log_level, settings.log_format)
        self._app, _ = await asyncio.to_thread(load_app, settings)
        self._services: Services = self._app.state.services
        await self._open.enter_async_context(self._app.router.lifespan_context(self._app))
        if metrics_folder:
            target = MetricsTarget(self._services.metrics.registry, metrics_folder)
            self._open.callback(target.close)
        self._open.enter_context(quick_collections())

    async def __del__(self) -> None:
        """Stop the engine, if it came to that. Serve has waited for open requests by then."""
        await self._open.aclose()

    async def check_health(self) -> None:
        """Raise when only a restart helps; Serve then starts another in this one's place."""
        if not self._services.model.engine.is_alive:
            raise RuntimeError("the engine has died")
        self._services.health.check_live()

    async def respond(self, request: HttpRequest) -> AsyncIterator[ResponseHead | bytes]:
        """The head of the response, then its body as it comes.

        When the reader goes, Serve closes this generator, and the app learns of it as it would
        from a socket.
        """
        exchange = Exchange(request)
        task = asyncio.create_task(self._app(exchange.scope(), exchange.receive, exchange.send))
        task.add_done_callback(lambda _: exchange.end())
        try:
            yield await exchange.head()
            while piece := await exchange.piece():
                yield piece
        finally:
            exchange.end()
            with suppress(OSError):  # the app could not send to one who is gone
                await task
