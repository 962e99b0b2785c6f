"""Answers are shown as Markdown, and nothing that a model writes runs or loads."""

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.visitor import visit
from tests.server.scripted import ScriptedModel, says

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

MARKDOWN = """# Fox

A **red** fox and `code`.

- one
- [two](https://example.org/)

```
x = 1
```
"""
HOSTILE = """<img src=x onerror=alert(1)> [a](javascript:alert(1)) ![b](/health/live)
<script>alert(1)</script><b id=log style=x>c</b>"""


async def asked(page: Page) -> None:
    await page.fill("#prompt", "Hi")
    await page.keyboard.press("Enter")
    await expect(page.locator(".cost")).to_be_visible()


async def test_an_answer_is_markdown(browser: Browser, url: str, model: ScriptedModel) -> None:
    model.reply = says(MARKDOWN)
    async with visit(browser, url) as page:
        await asked(page)
        answer = page.locator(".turn.assistant")
        await expect(answer.locator("h1")).to_have_text("Fox")
        await expect(answer.locator("strong")).to_have_text("red")
        await expect(answer.locator("li")).to_have_text(["one", "two"])
        await expect(answer.locator("pre")).to_have_text("x = 1")
        link = answer.locator("a")
        await expect(link).to_have_attribute("rel", "noopener noreferrer")
        await expect(link).to_have_attribute("target", "_blank")


async def test_a_hostile_answer_is_only_text(
    browser: Browser, url: str, model: ScriptedModel
) -> None:
    model.reply = says(HOSTILE)
    dialogs: list[str] = []
    async with visit(browser, url) as page:
        page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        await asked(page)
        answer = page.locator(".turn.assistant")
        await expect(answer).to_contain_text("<img src=x onerror=alert(1)>")
        await expect(answer).to_contain_text("<script>alert(1)</script><b id=log style=x>c</b>")
        await expect(answer.locator("img, script, b, [style], [id], [onerror]")).to_have_count(0)
        await expect(answer.locator("[href]")).to_have_count(0)
    assert not dialogs


async def test_a_question_is_shown_as_typed(browser: Browser, url: str) -> None:
    async with visit(browser, url) as page:
        await page.fill("#prompt", "**Hi** <b>x</b>")
        await page.keyboard.press("Enter")
        await expect(page.locator(".turn.user")).to_have_text("**Hi** <b>x</b>")
        await expect(page.locator(".cost")).to_be_visible()


async def test_the_cleaner_cuts_what_the_renderer_lets_through(browser: Browser, url: str) -> None:
    """Were marked to pass HTML, DOMPurify would still stand between it and the page."""
    script = """async (html) => {
      const { clean } = await import("/page/markdown.js");
      const node = document.createElement("div");
      node.append(clean(html));
      return node.innerHTML;
    }"""
    html = '<p onclick="x()" style="a">a<img src=x><form>b</form><a href="javascript:x">c</a></p>'
    context = await browser.new_context(bypass_csp=True)
    page = await context.new_page()
    await page.goto(url)
    cleaned = await page.evaluate(script, html)
    for forbidden in ("onclick", "style", "<img", "<form", "javascript"):
        assert forbidden not in cleaned
    assert cleaned.startswith("<p>a")
    await context.close()
