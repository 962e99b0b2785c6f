"""What a visitor does with a conversation: copy, ask again, set the model, reload."""

from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.visitor import visit
from tests.server.scripted import ScriptedModel, says

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

COMPLETIONS = "**/v1/chat/completions"


async def ask(page: Page, text: str) -> Any:
    """Send a message and wait for its answer; the request's body."""
    async with page.expect_request(COMPLETIONS) as sent:
        await page.fill("#prompt", text)
        await page.keyboard.press("Enter")
    await expect(page.locator("#send")).to_be_visible()
    await expect(page.locator("#log")).to_have_attribute("aria-busy", "false")
    return (await sent.value).post_data_json


async def test_the_context_and_its_use_are_shown(browser: Browser, url: str) -> None:
    async with visit(browser, url) as page:
        context = page.locator("#context")
        await expect(context).to_have_text("Context: 0 of 256 tokens")
        await ask(page, "Hi")
        used = int((await context.text_content() or "").split()[1])
        assert used > 13, "the prompt and the answer"
        assert await page.locator("#context-bar").get_attribute("value") == str(used)
        await page.click("#clear")
        await expect(context).to_have_text("Context: 0 of 256 tokens")


async def test_a_conversation_survives_a_reload(browser: Browser, url: str) -> None:
    async with visit(browser, url) as page:
        await ask(page, "Hi")
        used = await page.locator("#context").text_content() or ""
        cost = await page.locator(".cost").text_content() or ""
        await page.reload()
        await expect(page.locator(".turn")).to_have_text(["Hi", "Hello there!"])
        await expect(page.locator(".cost")).to_have_text(cost)
        await expect(page.locator("#context")).to_have_text(used)
        await expect(page.locator("#model option")).to_have_count(2)
        body = await ask(page, "And")
        assert [message["content"] for message in body["messages"]] == ["Hi", "Hello there!", "And"]
        await page.click("#clear")
        await page.reload()
        await expect(page.locator(".turn")).to_have_count(0)


async def test_an_answer_can_be_written_anew(
    browser: Browser, url: str, model: ScriptedModel
) -> None:
    async with visit(browser, url) as page:
        await ask(page, "Hi")
        await ask(page, "And")
        model.reply = says("Better.")
        buttons = page.get_by_role("button", name="Regenerate")
        await expect(buttons).to_have_count(1)  # the last answer's only
        async with page.expect_request(COMPLETIONS) as sent:
            await buttons.click()
        body: Any = (await sent.value).post_data_json
        assert [message["content"] for message in body["messages"]] == ["Hi", "Hello there!", "And"]
        await expect(page.locator(".turn.assistant")).to_have_text(["Hello there!", "Better."])


@pytest.mark.parametrize("secure", [True, False], ids=["clipboard", "plain HTTP"])
async def test_an_answer_is_copied_as_it_was_written(
    browser: Browser, url: str, model: ScriptedModel, secure: bool
) -> None:
    model.reply = says("A **red** fox.\n\n```\nx = 1\n```")
    permissions = ["clipboard-read", "clipboard-write"]
    async with visit(browser, url, permissions=permissions) as page:
        if not secure:
            forbid = "navigator.clipboard.writeText = () => Promise.reject(new Error()); 0"
            await page.evaluate(forbid)
        await ask(page, "Hi")
        for place, text in ((".foot", "A **red** fox.\n\n```\nx = 1\n```"), (".code", "x = 1")):
            await page.locator(place).get_by_role("button", name="Copy").click()
            await expect(page.locator(place)).to_contain_text("Copied")
            assert await page.evaluate("navigator.clipboard.readText()") == text


async def test_settings_are_folded_away_sent_and_kept(browser: Browser, url: str) -> None:
    async with visit(browser, url) as page:
        system = page.get_by_label("System prompt", exact=True)
        await expect(system).to_be_hidden()
        assert "max_tokens" not in await ask(page, "Hi")
        await page.locator("#settings summary").click()
        await system.fill("Be brief.")
        await page.get_by_label("Maximum tokens").fill("5")
        await page.locator("#temperature").fill("0.2")
        await page.reload()
        await expect(page.locator("#model option")).to_have_count(2)
        body = await ask(page, "And")
        assert body["messages"][0] == {"role": "system", "content": "Be brief."}
        assert (body["max_tokens"], body["temperature"], body["top_p"]) == (5, 0.2, 1)
        await expect(page.locator(".cost").last).to_contain_text("stopped at the limit")
        await page.locator("#settings summary").click()
        await page.get_by_role("button", name="Reset").click()
        await expect(system).to_have_value("")
        assert (await ask(page, "More"))["messages"][0]["role"] == "user"
