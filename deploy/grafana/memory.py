"""Memory: weights against FP16, the KV cache, and the process against its limit."""

from deploy.grafana.dashboard import OURS, Dashboard
from deploy.grafana.panels import Panel, Query, Row


def kind(name: str) -> str:
    """Bytes of a kind, of each server."""
    return f'sterna:memory_bytes{{{OURS}, kind="{name}"}}'


PACKED, FP16 = kind("weights_packed"), kind("weights_fp16_equivalent")

NOW = Row(
    "Now",
    [
        Panel(
            "Weights, as served",
            "Ternary matrices packed at two bits a weight; embedding, head and norms included.",
            [Query(f"max({PACKED})", "")], "bytes", "stat", width=6, height=5,
        ),
        Panel(
            "Smaller than FP16",
            "How many times: what as many weights of two bytes each would take, over what they do.",
            [Query(f"max({FP16}) / max({PACKED})", "")], "suffix: x", "stat", width=6, height=5,
            decimals=1,
        ),
        Panel(
            "KV cache in use", "Of the pool's bytes; the fullest server.",
            [Query(f"max({kind('kv_used')} / ignoring (kind) {kind('kv_pool')})", "")],
            "percentunit", "stat", width=6, height=5, warn=0.8, bad=0.95,
        ),
        Panel(
            "Resident", "Memory of the process, with the pages of mapped files it has touched.",
            [Query(f"max({kind('resident')})", "")], "bytes", "stat", width=6, height=5,
        ),
    ],
)  # fmt: skip

WEIGHTS = Row(
    "Weights",
    [
        Panel(
            "Weights, against FP16",
            "The output head is a part of the packed weights.",
            [
                Query(f"max({PACKED})", "packed"),
                Query(f"max({FP16})", "FP16 would be"),
                Query(f"max({kind('head')})", "output head"),
            ],
            "bytes", "bargauge", width=24, height=6,
        ),
    ],
)  # fmt: skip

CACHE = Row(
    "KV cache and scratch",
    [
        Panel(
            "KV cache",
            "Pool: when it is full; the system commits its pages as they are first written. Used: "
            "blocks that some sequence holds. Shared: of these, what two or more hold.",
            [
                Query(f"sum({kind('kv_pool')})", "pool"),
                Query(f"sum({kind('kv_used')})", "used"),
                Query(f"sum({kind('kv_shared')})", "shared"),
            ],
            "bytes", width=12, height=9,
        ),
        Panel(
            "What the engine holds",
            "Stacked: packed weights, the used part of the cache, and the activations of the "
            "largest step.",
            [
                Query(f"sum({PACKED})", "packed"),
                Query(f"sum({kind('kv_used')})", "used"),
                Query(f"sum({kind('scratch')})", "scratch"),
            ],
            "bytes", width=12, height=9, stacked=True,
        ),
    ],
)  # fmt: skip

PROCESS = Row(
    "Process",
    [
        Panel(
            "Process, against its limit",
            "limit: the least memory limit of the control groups around the process; no line, "
            "no limit. At the limit the kernel ends the process.",
            [
                Query(f"max({kind('resident')})", "resident"),
                Query(f"max({kind('resident_anonymous')})", "resident, without files"),
                Query(f"max({kind('resident_peak')})", "peak"),
                Query(f"min({kind('cgroup_limit')})", "limit"),
            ],
            "bytes", width=24, height=9,
        ),
    ],
)  # fmt: skip

MEMORY = Dashboard(
    "sterna-memory",
    "Sterna: memory",
    "Where the bytes are, and what the same weights would take in FP16.",
    [NOW, WEIGHTS, CACHE, PROCESS],
)
