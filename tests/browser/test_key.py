"""The page where the API wants a key."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from server.settings import Settings
from tests.server.scripted import make_settings

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture
def settings(folder: Path) -> Settings:
    return make_settings(folder, api_key="right")


async def test_the_page_asks_for_the_key_and_then_works(browser: Browser, url: str) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(url)
    status = page.locator("#status")
    await expect(status).to_contain_text("wants an API key")
    for key in ("wrong", "right"):
        tries = sum(url.endswith("/metrics") for url in asked)
        await page.wait_for_timeout(2500)
        assert sum(url.endswith("/metrics") for url in asked) == tries, "once is enough"
        await page.fill("#key", key)
        await page.press("#key", "Enter")
    await expect(status).to_contain_text("ready")
    await page.fill("#prompt", "Hi")
    await page.keyboard.press("Enter")
    await expect(page.locator(".turn.assistant")).to_have_text("Hello there!")
    await context.close()
