// The charts: reads /metrics every second, less often while the server is gone.

import { CARDS } from "./cards.js";
import { Chart } from "./chart.js";
import { Scrape, Span } from "./metrics.js";
import { fetchWithKey, isRefused } from "./key.js";

const RATE_SECONDS = 4; // the time over which rates are computed
const LATENCY_SECONDS = 20; // latencies are rarer than tokens
const [PERIOD_MS, MAX_PERIOD_MS] = [1000, 16_000];
const PATH = "/metrics";
const NEEDS_KEY = "API key required";

/** Reads and draws until the page is left. */
export class Live {
  #scrapes = [];
  #seen = ""; // the time of day of the newest values
  #failures = 0;
  #reading = false;
  #timer = 0;

  /** Draws in `node`. Calls `report(state, text, engine, seen)` after each reading. */
  constructor(node, report) {
    this.report = report;
    this.charts = CARDS.map(([title, unit, options]) => new Chart(title, unit, options));
    node.append(...this.charts.map((chart) => chart.figure));
  }

  /** Reads now, and then again and again. */
  async read() {
    if (this.#reading) return;
    this.#reading = true;
    clearTimeout(this.#timer);
    if (isRefused(PATH)) this.report("failed", NEEDS_KEY);
    else if (!document.hidden) await this.#scrape();
    this.#reading = false;
    this.#timer = setTimeout(() => this.read(), Math.min(PERIOD_MS * 2 ** this.#failures, MAX_PERIOD_MS));
  }

  async #scrape() {
    try {
      const response = await fetchWithKey(PATH, { cache: "no-store" });
      if (response.status === 401) return this.report("failed", NEEDS_KEY);
      if (!response.ok) return this.#fail(`answering with status ${response.status}`);
      this.#scrapes.push(new Scrape(await response.text(), performance.now() / 1000));
    } catch {
      return this.#fail("not responding");
    }
    this.#failures = 0;
    this.#seen = new Date().toLocaleTimeString("en-GB");
    this.#draw();
  }

  #fail(text) {
    this.#failures += 1;
    if (this.#seen) for (const chart of this.charts) chart.markStale(this.#seen);
    this.report("gone", text, null, this.#seen);
  }

  #draw() {
    const scrapes = this.#scrapes;
    while (scrapes.length > 1 && scrapes.at(-1).at - scrapes[1].at > LATENCY_SECONDS) scrapes.shift();
    const now = scrapes.at(-1);
    this.report("ready", "ready", now.all("sterna:engine_info")[0]?.labels);
    const since = (age) => new Span(scrapes.find((scrape) => now.at - scrape.at <= age), now);
    const [recent, longer] = [since(RATE_SECONDS), since(LATENCY_SECONDS)];
    CARDS.forEach(([, , , read], index) => {
      this.charts[index].markStale("");
      this.charts[index].push(now.at, ...read(now, recent, longer));
    });
  }
}
