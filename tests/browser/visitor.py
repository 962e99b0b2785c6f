"""Who looks at the page, and who keeps its server busy meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from playwright.async_api import Browser, ConsoleMessage, Page, Request, expect

from tests.browser.conftest import new_context
from tests.server.scripted import LIMIT_SECONDS


@asynccontextmanager
async def visit(browser: Browser, url: str, **options: Any) -> AsyncIterator[Page]:
    """The page, once it knows the model; afterwards, nothing may have gone wrong in it."""
    context = await new_context(browser, **options)
    page = await context.new_page()
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    def see(request: Request) -> None:
        if not request.url.startswith(url):
            complaints.append(request.url)

    page.on("console", hear)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", see)
    await page.goto(url)
    await expect(page.locator("#model option")).to_have_count(2)
    yield page
    await context.close()
    assert not complaints


@asynccontextmanager
async def questions(url: str) -> AsyncIterator[None]:
    """Someone asks again and again."""

    async def ask() -> None:
        async with httpx.AsyncClient(base_url=url, timeout=LIMIT_SECONDS) as client:
            while True:
                await client.post("/v1/completions", json={"model": "scripted", "prompt": "Hi"})
                await asyncio.sleep(0.1)

    asking = asyncio.create_task(ask())
    yield
    asking.cancel()
