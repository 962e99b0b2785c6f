"""Overview: what goes in and out, how long it takes, and what the engine is at."""

from deploy.grafana.dashboard import OURS, VLLM, Dashboard, mean, quantile, rate
from deploy.grafana.panels import Panel, Query, Row

TTFT = "vllm:time_to_first_token_seconds"
ITL = "vllm:inter_token_latency_seconds"
E2E = "vllm:e2e_request_latency_seconds"
OUTPUT = f"sum({rate('vllm:generation_tokens_total')})"
PROMPT = f"sum({rate('vllm:prompt_tokens_total')})"
USAGE = f"max(vllm:kv_cache_usage_perc{{{VLLM}}})"


def percentiles(name: str) -> list[Query]:
    """Three quantiles of a histogram."""
    return [Query(quantile(q / 100, name), f"p{q}") for q in (50, 90, 99)]


def stat(
    title: str, description: str, expr: str, unit: str = "short", *,
    warn: float | None = None, bad: float | None = None,
) -> Panel:  # fmt: skip
    """One number of the top row."""
    return Panel(
        title, description, [Query(expr, "")], unit, "stat", width=4, height=4, warn=warn, bad=bad
    )


NOW = Row(
    "Now",
    [
        stat("Output tokens a second", "Tokens generated, over all servers.", OUTPUT),
        stat("Running", "Sequences in the batch.", f"sum(vllm:num_requests_running{{{VLLM}}})"),
        stat(
            "Waiting", "Sequences that wait for the batch or for room in the cache.",
            f"sum(vllm:num_requests_waiting{{{VLLM}}})", warn=1, bad=64,
        ),
        stat(
            "First token, p99", "99 of 100 sequences had their first token within this time.",
            quantile(0.99, TTFT), "s", warn=2.5, bad=10,
        ),
        stat(
            "Between tokens, p99", "99 of 100 tokens came within this time of the one before.",
            quantile(0.99, ITL), "s", warn=0.2, bad=0.5,
        ),
        stat("KV cache", "The fullest cache.", USAGE, "percentunit", warn=0.8, bad=0.95),
        Panel(
            "Servers", "What computes, at each server.",
            [Query(
                f"sterna:engine_info{{{OURS}}}",
                "{{instance}}: {{model}}, {{isa}}, {{threads}} threads, Sterna {{version}}",
            )],
            kind="stat", width=24, height=3, text="name",
        ),
    ],
)  # fmt: skip

TRAFFIC = Row(
    "Traffic",
    [
        Panel(
            "Tokens a second",
            "Computed: tokens run through the model. Prompt tokens found in the cache are not "
            "computed; those of a preempted sequence are computed again.",
            [
                Query(OUTPUT, "output"),
                Query(PROMPT, "prompt"),
                Query(f"sum({rate('vllm:prompt_tokens_cached_total')})", "prompt, from the cache"),
                Query(f"sum({rate('sterna:computed_tokens_total', OURS)})", "computed"),
            ],
        ),
        Panel(
            "Sequences a second, by how they ended",
            "stop: an end token or a stop string. length: max_tokens. abort: the client left. "
            "refused: 429, no place in the queue.",
            [
                *(
                    Query(
                        f"sum({rate('vllm:request_success_total', labels)})", reason,
                    )
                    for reason in ("stop", "length", "abort", "error")
                    for labels in [f'{VLLM}, finished_reason="{reason}"']
                ),
                Query(f"sum({rate('sterna:rejections_total', OURS)})", "refused"),
            ],
            stacked=True,
        ),
        Panel(
            "HTTP responses a second, by status",
            "All routes but health and metrics. 499: the client left before an answer in one "
            "piece.",
            [Query(
                "sum by (status) (rate(sterna:http_requests_total"
                f'{{{OURS}, route!~"/health.*|/metrics"}}[$__rate_interval]))',
                "{{status}}",
            )],
            stacked=True,
        ),
    ],
)  # fmt: skip

LATENCY = Row(
    "Latency",
    [
        Panel(
            "Time to first token",
            "From the arrival of the HTTP request; waiting and reading the prompt are in it.",
            percentiles(TTFT), "s", bad=10,
        ),
        Panel(
            "Time between tokens",
            "From one token of a sequence to the next. Percentiles lie within buckets, of which "
            "the first ends at 10 ms.",
            percentiles(ITL), "s", bad=0.5,
        ),
        Panel(
            "Arrival to last token", "Of sequences that finished with stop or length.",
            percentiles(E2E), "s",
        ),
        Panel(
            "Where the time of a sequence goes",
            "Means. queue: until it is first in a batch. prefill: until its first token. decode: "
            "until its last. What a preemption costs stays inside.",
            [
                Query(mean(f"vllm:request_{part}_time_seconds"), part)
                for part in ("queue", "prefill", "decode")
            ],
            "s", stacked=True, width=12,
        ),
        Panel(
            "Mean time between tokens", "Exact, where the percentiles above are read off buckets.",
            [Query(mean(ITL), "mean")], "s", width=12,
        ),
    ],
)  # fmt: skip

ENGINE = Row(
    "Engine",
    [
        Panel(
            "Sequences",
            "Running: in the batch. Waiting: no room in the batch or in the cache.",
            [
                Query(f"sum(vllm:num_requests_{state}{{{VLLM}}})", state)
                for state in ("running", "waiting")
            ],
        ),
        Panel(
            "Tokens in a step",
            "Each running sequence adds one, a prompt that is being read a chunk.",
            [
                Query(mean("vllm:iteration_tokens_total"), "mean"),
                Query(quantile(0.99, "vllm:iteration_tokens_total"), "p99"),
            ],
        ),
        Panel(
            "Steps a second", "Runs of the model.",
            [Query(rate("sterna:engine_steps_total", OURS), "{{instance}}")],
        ),
        Panel(
            "KV cache in use", "Part of the cache's blocks that some sequence holds.",
            [Query(f"vllm:kv_cache_usage_perc{{{VLLM}}}", "{{instance}}")],
            "percentunit", warn=0.8, bad=0.95, most=1,
        ),
        Panel(
            "Prompt tokens found in the cache", "Of those looked up, when a sequence first runs.",
            [Query(
                f"sum({rate('vllm:prefix_cache_hits_total')})"
                f" / sum({rate('vllm:prefix_cache_queries_total')})",
                "hit rate",
            )],
            "percentunit", most=1,
        ),
        Panel(
            "Preemptions a second",
            "Sequences put back because the cache was full, to be computed again: none is best.",
            [Query(rate("vllm:num_preemptions_total"), "{{instance}}")],
        ),
    ],
)  # fmt: skip

OVERVIEW = Dashboard(
    "sterna-overview",
    "Sterna: overview",
    "Throughput, latency and the engine's work.",
    [NOW, TRAFFIC, LATENCY, ENGINE],
)
