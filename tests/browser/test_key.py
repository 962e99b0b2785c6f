"""The page where the API wants a key."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from sterna.server.settings import Settings
from tests.browser.conftest import new_context
from tests.server.scripted import make_settings

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

LIVE = "/health/live"
ROUND_TRIP = f"fetch('{LIVE}').then(() => undefined)"  # what was on its way before has arrived


@pytest.fixture
def settings(folder: Path) -> Settings:
    return make_settings(folder, api_key="right")


async def test_the_page_asks_for_the_key_and_then_works(browser: Browser, url: str) -> None:
    context = await new_context(browser)
    page = await context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.clock.install(time=0)
    await page.goto(url)
    status = page.locator("#status")
    await expect(status).to_contain_text("API key required")
    await expect(page.locator("#key-form p")).to_contain_text("wants an API key")
    await page.clock.pause_at(3600_000)
    for key in ("wrong", "right"):
        await page.evaluate(ROUND_TRIP)
        tries = len(asked)
        await page.clock.run_for(10_000)
        await page.evaluate(ROUND_TRIP)
        assert asked[tries:] == [f"{url}{LIVE}"], "once is enough"
        async with page.expect_response("**/v1/models"):
            await page.fill("#key", key)
            await page.press("#key", "Enter")
        if key == "wrong":
            await expect(page.locator("#key-form p")).to_contain_text("does not accept")
    await expect(page.locator("#key")).to_be_hidden()
    await page.clock.resume()
    await expect(status).to_contain_text("ready")
    async with page.expect_request("**/v1/chat/completions") as sent:
        await page.fill("#prompt", "Hi")
        await page.keyboard.press("Enter")
    assert (await sent.value).headers["authorization"] == "Bearer right"
    assert await page.evaluate("localStorage.length") == 0, "it is kept in the tab only"
    await expect(page.locator(".turn.assistant")).to_have_text("Hello there!")
    await context.close()
