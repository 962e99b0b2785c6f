"""Metrics of sequences: tokens, times and outcomes. All are vLLM's.

Time to first token and end-to-end latency start when the HTTP request arrives; the other times
lie between events in the engine: queued, first scheduled, first token, last token.
``request_*`` histograms have one observation per sequence that finished (stop, length).
"""

from prometheus_client import Histogram

from sterna.server.metrics.buckets import (
    CHOICES,
    FIRST_TOKEN_SECONDS,
    INTER_TOKEN_SECONDS,
    REQUEST_SECONDS,
    one_two_five,
)
from sterna.server.metrics.families import Families

FINISHED_REASONS = ("stop", "length", "abort", "error")
PROMPT_SOURCES = ("local_compute", "local_cache_hit")


class RequestCounters:
    """Counters."""

    def __init__(self, families: Families) -> None:
        counter, counters = families.counter, families.counters
        self.success = counters(
            "request_success",
            "Sequences by how they ended. Each of n choices counts.",
            "finished_reason",
            FINISHED_REASONS,
        )
        self.prompt_tokens = counter("prompt_tokens", "Prompt tokens, including cached ones.")
        self.prompt_tokens_cached = counter(
            "prompt_tokens_cached", "Prompt tokens taken from the prefix cache."
        )
        self.prompt_tokens_by_source = counters(
            "prompt_tokens_by_source",
            "Prompt tokens by the source of their keys and values.",
            "source",
            PROMPT_SOURCES,
        )
        self.generation_tokens = counter("generation_tokens", "Tokens generated.")


class RequestTimes:
    """Histograms of seconds."""

    def __init__(self, families: Families) -> None:
        def of_request(name: str, text: str) -> Histogram:
            return families.histogram(f"{name}_seconds", text, REQUEST_SECONDS)

        self.to_first_token = families.histogram(
            "time_to_first_token_seconds",
            "Time from arrival to a sequence's first token.",
            FIRST_TOKEN_SECONDS,
        )
        self.between_tokens = families.histogram(
            "inter_token_latency_seconds",
            "Time between successive tokens of a sequence.",
            INTER_TOKEN_SECONDS,
        )
        self.per_token = families.histogram(
            "request_time_per_output_token_seconds",
            "Mean time between the tokens of a sequence that has two or more.",
            INTER_TOKEN_SECONDS,
        )
        self.end_to_end = of_request("e2e_request_latency", "Time from arrival to the last token.")
        self.queue = of_request("request_queue_time", "Time from queued to first scheduled.")
        self.prefill = of_request(
            "request_prefill_time", "Time from first scheduled to first token."
        )
        self.decode = of_request("request_decode_time", "Time from the first token to the last.")
        self.inference = of_request(
            "request_inference_time", "Time from first scheduled to last token."
        )


class RequestSizes:
    """Histograms of tokens and choices."""

    def __init__(self, families: Families, max_context_tokens: int) -> None:
        def tokens(name: str, text: str) -> Histogram:
            return families.histogram(f"request_{name}", text, one_two_five(max_context_tokens))

        self.prompt = tokens("prompt_tokens", "Prompt tokens of a sequence.")
        self.computed_prompt = tokens(
            "prefill_kv_computed_tokens", "Prompt tokens of a sequence that were not cached."
        )
        self.generation = tokens("generation_tokens", "Tokens generated for a sequence.")
        self.longest_generation = tokens(
            "max_num_generation_tokens", "Tokens of the longest choice for a prompt."
        )
        self.max_tokens = tokens("params_max_tokens", "Value of max_tokens.")
        self.num_choices = families.histogram("request_params_n", "Value of n.", CHOICES)


class RequestMetrics:
    """All metrics of sequences; ``PromptMeter`` and ``SequenceMeter`` update them."""

    def __init__(self, families: Families, max_context_tokens: int) -> None:
        self.counters = RequestCounters(families)
        self.times = RequestTimes(families)
        self.sizes = RequestSizes(families, max_context_tokens)
