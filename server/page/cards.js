// What each card shows. The only file that knows the names of metrics.

import { bytes, digits, perSecond, percent, requests, seconds, tokens, watts } from "./units.js";

const NO_COUNTER =
  "This machine has no energy counter that Sterna can read: " +
  "run the server on the host itself rather than in a virtual machine, or start it with --tdp-watts WATTS for an estimate.";

/** Each card: its title, its unit, its options, and a function that returns [values, note]. */
export const CARDS = [
  ["Tokens", perSecond, { apart: true }, (_, recent) => [{
    out: recent.rate("vllm:generation_tokens_total"),
    in: recent.rate("vllm:prompt_tokens_total"),
  }]],
  ["Requests", requests, {}, (now) => [{
    running: now.sum("vllm:num_requests_running"),
    waiting: now.sum("vllm:num_requests_waiting"),
  }]],
  ["Time to first token", seconds, {}, (_now, _recent, longer) => [latencies(longer, "vllm:time_to_first_token_seconds")]],
  ["Between tokens", seconds, {}, (_now, _recent, longer) => [latencies(longer, "vllm:inter_token_latency_seconds")]],
  ["KV cache", percent, {}, (now, _, longer) => [{
    used: now.sum("vllm:kv_cache_usage_perc"),
    "prefix hits": longer.growth("vllm:prefix_cache_hits_total") / longer.growth("vllm:prefix_cache_queries_total"),
  }]],
  ["Tokens per step", tokens, {}, (now, _, longer) => [{ mean: longer.mean("vllm:iteration_tokens_total") }, preemptions(longer)]],
  ["Memory", bytes, {}, memory],
  ["Energy", watts, {}, energy],
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
  if (fp16) notes.push(`In FP16 the weights would take ${bytes.write(fp16)}.`);
  if (limit) notes.push(`Limit: ${bytes.write(limit)}.`);
  return [values, notes.join(" ")];
}

function energy(now, _, longer) {
  const values = {};
  for (const { labels, value } of now.all("sterna:power_watts")) values[`${labels.domain}, ${labels.source}`] = value;
  const sources = now.all("sterna:energy_source_info").map((sample) => sample.labels);
  const measuring = sources.filter(({ status }) => status === "measuring");
  if (!measuring.length) return [values, whyNone(sources)];
  const joules = longer.growth("sterna:energy_joules_total", { source: measuring[0].source });
  const perToken = joules / longer.growth("vllm:generation_tokens_total");
  const shown = Number.isFinite(perToken) ? `${digits(perToken)} J per output token (${measuring[0].source}). ` : "";
  return [values, shown + measuring.map(({ source, scope, detail }) => `${source} (${scope}): ${detail}`).join("; ")];
}

/** One sentence: why nothing is measured, and what to do. */
function whyNone(sources) {
  const forbidden = sources.find(({ detail }) => detail.includes("not readable"));
  if (forbidden) return `${forbidden.detail}.`;
  const waiting = sources.some(({ status }) => status === "waiting");
  return waiting ? "The energy counters have not moved yet: send a message." : NO_COUNTER;
}
