"""What the cards of memory, cache and energy show of a server whose numbers are known."""

import asyncio
import re
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, Locator, Page, expect

from sterna.engine import AsyncEngine
from tests.browser.visitor import visit
from tests.engine.energy.powercap import FakePowercap
from tests.server.metered import PACKAGE, make_metered_engine, make_tree
from tests.server.scripted import LIMIT_SECONDS, ScriptedModel

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

BODY = {"model": "scripted", "prompt": "Hi", "stream": True}


@pytest.fixture
def tree(tmp_path: Path) -> FakePowercap:
    return make_tree(tmp_path)


@pytest.fixture
def engine(model: ScriptedModel, tree: FakePowercap) -> AsyncEngine:
    return make_metered_engine(model, tree)


def card(page: Page, title: str) -> Locator:
    return page.get_by_role("figure", name=title, exact=True)


def shown(page: Page, title: str, series: str) -> Locator:
    """The present value of a series, as text."""
    row = card(page, title).locator("dl > div").filter(has=page.get_by_text(series, exact=True))
    return row.locator("dd")


def ticks(page: Page, title: str, axis: str) -> Locator:
    return card(page, title).locator(f".axis.{axis} span")


async def test_axes_have_ticks_with_units(browser: Browser, url: str) -> None:
    async with visit(browser, url) as page:
        await expect(ticks(page, "Requests", "left")).to_have_text(["4", "2", "0"])
        await expect(ticks(page, "Requests", "time")).to_have_text(["-2 min", "-1 min", "now"])
        await expect(ticks(page, "Memory", "left").first).to_have_text(re.compile(r"^\d+ [MG]iB$"))
        for axis in ("left", "right"):  # output and input differ: each has its own
            await expect(ticks(page, "Tokens", axis)).to_have_text(["10/s", "5/s", "0/s"])


async def test_p99_says_what_it_is(browser: Browser, url: str) -> None:
    async with visit(browser, url) as page:
        term = card(page, "Between tokens").get_by_text("p99", exact=True)
        await expect(term).to_have_attribute("title", re.compile("99th percentile"))


async def test_memory_is_that_of_the_engine_and_the_process(browser: Browser, url: str) -> None:
    async with visit(browser, url) as page:
        await expect(shown(page, "Memory", "weights")).to_have_text("1,000 B")
        await expect(shown(page, "Memory", "KV pool")).to_have_text("2.5 KiB")
        await expect(shown(page, "Memory", "resident")).to_have_text(re.compile(r"[\d.]+ [MG]iB"))
        await expect(card(page, "Memory").locator(".note")).to_contain_text("would take 7.81 KiB")


async def test_the_cache_fills_while_someone_is_answered(
    browser: Browser, url: str, model: ScriptedModel
) -> None:
    async with visit(browser, url) as page, httpx.AsyncClient(timeout=LIMIT_SECONDS) as client:
        await expect(shown(page, "KV cache", "used")).to_have_text("0 %")
        await expect(ticks(page, "KV cache", "left")).to_have_text(["100 %", "50 %", "0 %"])
        model.is_open = False
        async with client.stream("POST", f"{url}/v1/completions", json=BODY):
            model.allow(2)  # a block of 128 holds four tokens
            await expect(shown(page, "KV cache", "used")).to_have_text(re.compile("0.78 %|1.56 %"))
            model.allow(1000)


async def test_energy_has_its_source_beside_it(
    browser: Browser, url: str, tree: FakePowercap
) -> None:
    joules = 0

    def take_energy() -> None:
        nonlocal joules
        joules += 2
        tree.set(PACKAGE, joules * 1_000_000)  # each scrape reads it

    take_energy()  # so that there is a series from the first scrape on
    async with visit(browser, url) as page, httpx.AsyncClient(timeout=LIMIT_SECONDS) as client:
        watts, note = shown(page, "Energy", "package, rapl"), card(page, "Energy").locator(".note")
        await expect(watts).to_be_visible()
        await client.post(f"{url}/v1/completions", json=BODY)
        async with asyncio.timeout(LIMIT_SECONDS):
            while not re.fullmatch(r"(?!0 )[\d.,]+ W", await watts.text_content() or ""):
                take_energy()
                await page.wait_for_timeout(20)
        await expect(note).to_contain_text(re.compile(r"[\d.]+ J per output token \(rapl\)"))
        await expect(note).to_contain_text("rapl (host): energy counters in")
