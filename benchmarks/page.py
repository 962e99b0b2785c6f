"""Photographs the live page in a headless Chromium: docs/images/page.png.

    python -m benchmarks.page              # needs chromium on the PATH; about two minutes

A real server with the built-in model, some clients in the background, and one question typed in.
"""

import asyncio
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from playwright.async_api import Page, async_playwright

from benchmarks.monitoring.load import load
from benchmarks.monitoring.watched import server

PICTURE: Final = Path(__file__).parents[1] / "docs" / "images" / "page.png"
SIZE: Final = {"width": 1280, "height": 800}
CLIENTS: Final = (1, 3, 6, 10, 4, 8, 3)
PHASE_SECONDS: Final = 12.0
QUESTIONS: Final = ("Tell me a story about a fox.", "What do you like?")


async def main() -> None:
    """Run the load, ask, take the picture."""
    with TemporaryDirectory() as folder, server(Path(folder), {}) as (url, _):
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
            page = await browser.new_page(viewport=SIZE)  # type: ignore[arg-type]
            await page.goto(url)
            await page.wait_for_selector("#model option", state="attached")
            model = await page.input_value("#model")
            await asyncio.gather(load(url, model, CLIENTS, PHASE_SECONDS), _ask(page))
            await browser.close()


async def _ask(page: Page) -> None:
    await asyncio.sleep(len(CLIENTS) * PHASE_SECONDS * 0.85)
    for question in QUESTIONS:
        await page.fill("#prompt", question)
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#send:visible")
    await page.screenshot(path=PICTURE)


if __name__ == "__main__":
    asyncio.run(main())
