"""The scale of a chart ends at a round number, and a small value looks small."""

import re

import pytest
from playwright.async_api import Browser, Page

from tests.browser.conftest import new_context

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

END = """async ([peak, unit]) => {
  const units = await import("/page/units.js");
  return units.endOfScale(peak, units[unit]);
}"""
DRAW = """async ([unit, points]) => {
  const [{ Chart }, units] = [await import("/page/chart.js"), await import("/page/units.js")];
  const chart = new Chart("Test", units[unit]);
  for (const [at, value] of points) chart.push(at, { value });
  return chart.figure.querySelector("path.line").getAttribute("d");
}"""


async def opened(browser: Browser, url: str) -> Page:
    page = await (await new_context(browser, bypass_csp=True)).new_page()
    await page.goto(url)
    return page


@pytest.mark.parametrize(
    ("peak", "unit", "end"),
    [
        (0.0015, "percent", 1),  # 0.15 % does not fill a chart
        (0, "perSecond", 10),
        (104, "perSecond", 200),
        (1000, "perSecond", 1000),
        (1, "requests", 4),
        (9, "requests", 10),
        (0.0049, "seconds", 0.01),
        (0.3, "seconds", 0.4),
        (2560, "bytes", 4096),
        (3 << 30, "bytes", 4 << 30),
    ],
)
async def test_where_it_ends(
    browser: Browser, url: str, peak: float, unit: str, end: float
) -> None:
    page = await opened(browser, url)
    assert await page.evaluate(END, [peak, unit]) == pytest.approx(end)
    await page.context.close()


async def test_a_small_share_is_a_low_line_at_its_time(browser: Browser, url: str) -> None:
    page = await opened(browser, url)
    line = await page.evaluate(DRAW, ["percent", [[0, 0.0015], [1, 0.0015], [61, 0.0015]]])
    points = [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", line)]
    assert [y for _, y in points] == [59.9] * 3  # of 60, where zero is
    assert [x for x, _ in points] == [147.5, 150, 300]  # of 300 for two minutes
    assert line.count("M") == 2, "a minute without values is a gap"
    await page.context.close()
