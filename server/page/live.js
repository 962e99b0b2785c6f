// The charts: reads /metrics every second. The only file that knows the names of metrics.

import { Chart } from "./chart.js";
import { Scrape, Span } from "./metrics.js";
import { fetchWithKey, isRefused } from "./key.js";

const RATE_SECONDS = 4; // the time over which rates are computed
const LATENCY_SECONDS = 20; // latencies are rarer than tokens
const PERIOD_MS = 1000;
const NEEDS_KEY = "API key required";

const bytes = (value) => scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]);
const seconds = (value) => (value < 1 ? `${digits(value * 1000)} ms` : `${digits(value)} s`);
const perSecond = (value) => `${digits(value)}/s`;
const percent = (value) => `${digits(value * 100)} %`;
const watts = (value) => `${digits(value)} W`;

function digits(value) {
  return value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 2 : value < 100 ? 1 : 0 });
}

function scaled(value, base, units) {
  const power = Math.min(Math.floor(Math.log(Math.max(value, 1)) / Math.log(base)), units.length - 1);
  return `${digits(value / base ** power)} ${units[power]}`;
}

/** Each card: its title, the format of its values, and the values: [values, note]. */
const CARDS = [
  ["Tokens", perSecond, (_, recent) => [{
    out: recent.rate("vllm:generation_tokens_total"),
    in: recent.rate("vllm:prompt_tokens_total"),
  }]],
  ["Requests", digits, (now) => [{
    running: now.sum("vllm:num_requests_running"),
    waiting: now.sum("vllm:num_requests_waiting"),
  }]],
  ["Time to first token", seconds, (_now, _recent, longer) => [latencies(longer, "vllm:time_to_first_token_seconds")]],
  ["Between tokens", seconds, (_now, _recent, longer) => [latencies(longer, "vllm:inter_token_latency_seconds")]],
  ["KV cache", percent, (now, _, longer) => [{
    used: now.sum("vllm:kv_cache_usage_perc"),
    "prefix hits": longer.growth("vllm:prefix_cache_hits_total") / longer.growth("vllm:prefix_cache_queries_total"),
  }]],
  ["Tokens per step", digits, (now, _, longer) => [{ mean: longer.mean("vllm:iteration_tokens_total") }, preemptions(longer)]],
  ["Memory", bytes, memory],
  ["Energy", watts, energy],
];

function latencies(span, name) {
  return { mean: span.mean(name), p99: span.quantile(0.99, name) };
}

function preemptions(span) {
  const count = span.growth("vllm:num_preemptions_total");
  return count > 0 ? `Preemptions: ${count}. The cache is too small for the running requests.` : "";
}

function memory(now) {
  const kind = (kind) => now.sum("sterna:memory_bytes", { kind });
  const values = { resident: kind("resident"), "KV pool": kind("kv_pool"), weights: kind("weights_packed") };
  const [fp16, limit] = [kind("weights_fp16_equivalent"), kind("cgroup_limit")];
  const notes = [];
  if (fp16) notes.push(`In FP16 the weights would take ${bytes(fp16)}.`);
  if (limit) notes.push(`Limit: ${bytes(limit)}.`);
  return [values, notes.join(" ")];
}

function energy(now, _, longer) {
  const values = {};
  for (const { labels, value } of now.all("sterna:power_watts")) values[`${labels.domain}, ${labels.source}`] = value;
  const sources = now.all("sterna:energy_source_info").map((sample) => sample.labels);
  const measuring = sources.filter(({ status }) => status === "measuring");
  if (!measuring.length) return [values, `Unavailable. ${sources.map(described).join("; ")}`];
  const joules = longer.growth("sterna:energy_joules_total", { source: measuring[0].source });
  const perToken = joules / longer.growth("vllm:generation_tokens_total");
  const shown = Number.isFinite(perToken) ? `${digits(perToken)} J per output token (${measuring[0].source}). ` : "";
  return [values, shown + measuring.map(described).join("; ")];
}

function described({ source, scope, detail }) {
  return `${source} (${scope}): ${detail}`;
}

/** Draws forever. Calls `report(state, text)` after each scrape. */
export function start(report) {
  const charts = CARDS.map(([title, format]) => new Chart(title, format));
  document.getElementById("charts").append(...charts.map((chart) => chart.figure));
  const scrapes = [];
  const tick = async () => {
    if (isRefused()) report("failed", NEEDS_KEY);
    else if (!document.hidden) await scrape(scrapes, charts, report);
    setTimeout(tick, PERIOD_MS);
  };
  tick();
}

async function scrape(scrapes, charts, report) {
  try {
    const response = await fetchWithKey("/metrics", { cache: "no-store" });
    if (!response.ok) return report("failed", response.status === 401 ? NEEDS_KEY : `error ${response.status}`);
    scrapes.push(new Scrape(await response.text(), performance.now() / 1000));
  } catch {
    return report("failed", "not responding");
  }
  while (scrapes.length > 1 && scrapes.at(-1).at - scrapes[1].at > LATENCY_SECONDS) scrapes.shift();
  const now = scrapes.at(-1);
  report("ready", "ready", now.all("sterna:engine_info")[0]?.labels);
  const since = (age) => new Span(scrapes.find((scrape) => now.at - scrape.at <= age), now);
  CARDS.forEach(([, , read], index) => charts[index].push(...read(now, since(RATE_SECONDS), since(LATENCY_SECONDS))));
}
