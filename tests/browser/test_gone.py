"""The page where the server goes away and comes back."""

from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.browser.conftest import new_context
from tests.server.scripted import ScriptedModel, says

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_charts_are_marked_stale_until_a_retry_succeeds(browser: Browser, url: str) -> None:
    context = await new_context(browser)
    page = await context.new_page()
    await page.goto(url)
    figure = page.get_by_role("figure", name="Requests", exact=True)
    end = figure.locator(".axis.time span").last
    await expect(page.locator("#status")).to_contain_text("ready")
    await expect(end).to_have_text("now")
    await page.route("**/metrics", lambda route: route.abort())
    await expect(page.locator("#gone")).to_contain_text("not responding")
    seen = await end.text_content() or ""
    assert seen in (await page.locator("#gone").text_content() or "")
    assert seen.count(":") == 2, "a time of day"
    assert "stale" in (await figure.get_attribute("class") or "")
    await page.unroute("**/metrics")
    await page.get_by_role("button", name="Retry").click()
    await expect(page.locator("#gone")).to_be_hidden()
    await expect(page.locator(".stale")).to_have_count(0)
    await expect(end).to_have_text("now")
    await context.close()


async def test_a_message_that_got_no_answer_can_be_sent_again(
    browser: Browser, url: str, model: ScriptedModel
) -> None:
    model.reply = says("Back!")
    context = await new_context(browser)
    page = await context.new_page()
    await page.goto(url)
    await expect(page.locator("#model option")).to_have_count(2)
    await page.route("**/v1/chat/completions", lambda route: route.abort())
    await page.fill("#prompt", "Hi")
    await page.keyboard.press("Enter")
    notice = page.locator("#log [role=alert]")
    await expect(notice).to_have_text("The server does not answer.")
    await page.set_viewport_size({"width": 1280, "height": 540})
    await expect(notice).to_be_in_viewport()
    await page.unroute("**/v1/chat/completions")
    async with page.expect_request("**/v1/chat/completions") as sent:
        await page.locator("#log").get_by_role("button", name="Retry").click()
    body: Any = (await sent.value).post_data_json
    assert body["messages"] == [{"role": "user", "content": "Hi"}]
    await expect(page.locator(".turn.assistant")).to_have_text("Back!")
    await expect(page.locator("#log [role=alert]")).to_have_count(0)
    await context.close()
