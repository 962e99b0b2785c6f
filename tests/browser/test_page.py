"""The live page in a real browser: chat by keyboard, charts that move, no word to anyone else."""

import re
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import new_context
from tests.browser.visitor import questions, visit
from tests.server.scripted import ScriptedModel, babbles

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ABORTED = 'vllm:request_success_total{engine="0",finished_reason="abort",model_name="scripted"} 1.0'


def answer(page: Page) -> Any:
    return page.locator(".turn.assistant")


async def grown(page: Page, model: ScriptedModel, to: int) -> str:
    """Let the model write until the answer has so many letters; the answer."""
    await expect(answer(page)).to_have_count(1)
    while len(text := await answer(page).text_content() or "") < to:
        model.allow()
        await page.wait_for_timeout(10)
    return text


async def test_a_conversation_by_keyboard_alone(browser: Browser, url: str) -> None:
    async with visit(browser, url) as page:
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")  # the link to the message box
        await page.keyboard.type("Hi")
        await page.keyboard.press("Enter")
        await expect(answer(page)).to_have_text("Hello there!")
        await expect(page.locator(".cost")).to_contain_text("13 tokens")
        await page.keyboard.type("And")
        await page.keyboard.press("Enter")
        await expect(answer(page)).to_have_text(["Hello there!", "Hello there!"])
        await expect(page.locator("#log")).to_have_attribute("aria-busy", "false")


async def test_the_answer_grows_and_can_be_stopped(
    browser: Browser, url: str, model: ScriptedModel
) -> None:
    model.reply, model.is_open = babbles(), False
    async with visit(browser, url) as page:
        await page.fill("#prompt", "Hi")
        await page.keyboard.press("Enter")
        first = await grown(page, model, to=3)
        second = await grown(page, model, to=len(first) + 2)
        assert second.startswith(first)
        await page.keyboard.press("Escape")
        await expect(page.locator("#send")).to_be_visible()
        stopped = await answer(page).text_content() or ""
        while ABORTED not in await page.evaluate("fetch('/metrics').then((r) => r.text())"):
            await page.wait_for_timeout(20)  # the server hears of it too
        model.allow(300)
        assert stopped.startswith(second)
        assert await answer(page).text_content() == stopped


async def test_a_refusal_is_shown_and_the_question_can_be_asked_again(
    browser: Browser, url: str
) -> None:
    context = await new_context(browser)
    page = await context.new_page()
    await page.goto(url)
    await expect(page.locator("#model option")).to_have_count(2)
    await page.fill("#prompt", "long " * 200)
    await page.click("#send")
    await expect(page.locator("#log [role=alert]")).to_contain_text("context")
    await page.fill("#prompt", "short")
    await page.click("#send")
    await expect(answer(page)).to_have_text("Hello there!")
    await context.close()


async def test_no_key_is_asked_for_where_none_is_needed(browser: Browser, url: str) -> None:
    async with visit(browser, url) as page:
        await expect(page.locator("#status")).to_contain_text("ready")
        await expect(page.locator("#key")).to_be_hidden()


async def test_the_charts_follow_the_server(browser: Browser, url: str) -> None:
    async with visit(browser, url) as page:
        tokens = page.get_by_role("figure", name="Tokens", exact=True)
        await expect(tokens.locator("dd").first).to_have_text("0/s")
        still = await tokens.locator("path.line").first.get_attribute("d")
        async with questions(url):
            await expect(tokens.locator("svg")).to_have_attribute(
                "aria-label", re.compile(r"Tokens: out (?!0/)[\d.,]+/s")
            )
            assert await tokens.locator("path.line").first.get_attribute("d") != still
            latency = page.get_by_role("figure", name="Time to first token", exact=True)
            await expect(latency.locator("dd").first).to_have_text(re.compile(r"\d+(\.\d+)? m?s"))
        await expect(page.locator("#status")).to_have_class("ready")


async def test_no_energy_source_is_said_in_a_sentence_not_shown_as_zero(
    browser: Browser, url: str
) -> None:
    async with visit(browser, url) as page:
        energy = page.get_by_role("figure", name="Energy", exact=True)
        note = energy.locator(".note")
        await expect(note).to_have_text(
            re.compile(r"^This machine has no energy counter [^.]* --tdp-watts [^.]*\.$")
        )
        await expect(energy.locator("dd")).to_have_count(0)


async def test_on_a_phone_the_charts_are_a_tab(browser: Browser, url: str) -> None:
    async with visit(browser, url, viewport={"width": 390, "height": 844}) as page:
        figure = page.get_by_role("figure", name="Tokens", exact=True)
        await expect(page.locator("#prompt")).to_be_visible()
        await expect(figure).to_be_hidden()
        await page.get_by_role("tab", name="Chat").press("ArrowRight")
        await expect(page.get_by_role("tab", name="Charts")).to_be_focused()
        await expect(figure).to_be_visible()
        await expect(page.locator("#prompt")).to_be_hidden()
        await page.set_viewport_size({"width": 1280, "height": 800})
        await expect(page.locator("#prompt")).to_be_visible()
        await expect(figure).to_be_visible()
        await expect(page.get_by_role("tab")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_on_a_phone_light_or_dark_and_with_less_motion(
    browser: Browser, url: str, scheme: str
) -> None:
    size = {"width": 390, "height": 844}
    options = {"viewport": size, "color_scheme": scheme, "reduced_motion": "reduce"}
    async with visit(browser, url, **options) as page:
        await page.fill("#prompt", "x" * 60)
        await page.keyboard.press("Enter")
        await expect(answer(page)).to_have_text("Hello there!")
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390
        ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        lightness = sum(map(int, re.findall(r"\d+", ground)[:3])) / 3
        assert (lightness > 200) == (scheme == "light")
        await page.evaluate("document.querySelector('.turn').classList.add('writing')")
        moving = "getComputedStyle(document.querySelector('.turn'), '::after').animationName"
        assert await page.evaluate(moving) == "none"
