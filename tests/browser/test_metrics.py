"""The page reads Prometheus' text as Prometheus does."""

from typing import Any

import pytest
from playwright.async_api import Browser

from tests.browser.conftest import new_context

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

BEFORE = """# HELP t A counter.
t_total{kind="a"} 5.0
t_total{kind="b"} 100.0
h_bucket{le="0.1"} 0.0
h_bucket{le="0.5"} 0.0
h_bucket{le="+Inf"} 0.0
h_sum 0.0
h_count 0.0
"""
AFTER = """t_total{kind="a"} 9.0
t_total{kind="b"} 3.0
odd{text="a \\"quote\\", a \\\\ and {a=\\"b\\"}"} 1.5e+3
h_bucket{le="0.1"} 4.0
h_bucket{le="0.5"} 8.0
h_bucket{le="+Inf"} 10.0
h_sum 3.0
h_count 10.0
"""
SCRIPT = """async ([before, after, ask]) => {
  const { Scrape, Span } = await import("/page/metrics.js");
  const [first, second] = [new Scrape(before, 10), new Scrape(after, 12)];
  const span = new Span(first, second);
  return String(eval(ask));
}"""


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        ("span.rate('t_total', {kind: 'a'})", 2.0),
        ("span.growth('t_total', {kind: 'b'})", 3.0),  # it was restarted
        ("second.sum('odd', {text: 'a \"quote\", a \\\\ and {a=\"b\"}'})", 1500.0),
        ("second.sum('none')", float("nan")),  # nothing is not zero
        ("span.mean('h')", 0.3),
        ("span.quantile(0.2, 'h')", 0.05),
        ("span.quantile(0.6, 'h')", 0.3),
        ("span.quantile(0.99, 'h')", 0.5),  # beyond the last bound: that bound
        ("new Span(first, first).quantile(0.5, 'h')", float("nan")),
    ],
)
async def test_what_two_scrapes_say(browser: Browser, url: str, ask: str, answer: Any) -> None:
    context = await new_context(browser, bypass_csp=True)
    page = await context.new_page()
    await page.goto(url)
    found = float(await page.evaluate(SCRIPT, [BEFORE, AFTER, ask]))
    assert found == pytest.approx(answer, nan_ok=True)
    await context.close()
