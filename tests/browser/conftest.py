"""A headless Chromium in front of a real server. Skipped, with the reason, where there is none.

All tests share one browser, and so one event loop.
"""

import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from fastapi import FastAPI
from playwright.async_api import Browser, BrowserContext, async_playwright, expect

from tests.server.conftest import app, engine, folder, model, settings
from tests.server.serving import serve

__all__ = ["app", "engine", "folder", "model", "settings"]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
)  # fmt: skip

LIMIT_MS = 120_000  # for what hangs, or a machine that is paused

expect.set_options(timeout=LIMIT_MS)


async def new_context(browser: Browser, **options: Any) -> BrowserContext:
    """A fresh one, with patience."""
    context = await browser.new_context(**options)
    context.set_default_timeout(LIMIT_MS)
    return context


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs a chromium on the PATH, such as Debian's package of that name")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(FLAGS), timeout=LIMIT_MS
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def url(app: FastAPI) -> AsyncIterator[str]:
    """Where the app of ``tests/server`` listens."""
    async with serve(app) as url:
        yield url
