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
            "Ternary matrices packed at 1.6 bits per weight; embedding, head and norms included.",
            [Query(f"max({PACKED})", "")], "bytes", "stat", width=6, height=5,
        ),
        Panel(
            "Smaller than FP16",
            "Size of the same weights in FP16, divided by their size as served.",
            [Query(f"max({FP16}) / max({PACKED})", "")], "suffix: x", "stat", width=6, height=5,
            decimals=1,
        ),
        Panel(
            "KV cache in use", "Fraction of the pool's bytes, on the fullest server.",
            [Query(f"max({kind('kv_used')} / ignoring (kind) {kind('kv_pool')})", "")],
            "percentunit", "stat", width=6, height=5, warn=0.8, bad=0.95,
        ),
        Panel(
            "Resident", "Resident memory of the process, including mapped files.",
            [Query(f"max({kind('resident')})", "")], "bytes", "stat", width=6, height=5,
        ),
    ],
)  # fmt: skip

WEIGHTS = Row(
    "Weights",
    [
        Panel(
            "Weights compared with FP16",
            "The output head is included in the packed weights.",
            [
                Query(f"max({PACKED})", "packed"),
                Query(f"max({FP16})", "in FP16"),
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
            "Pool: the size when full; pages are allocated when first written. Used: blocks held "
            "by a sequence. Shared: blocks held by two or more.",
            [
                Query(f"sum({kind('kv_pool')})", "pool"),
                Query(f"sum({kind('kv_used')})", "used"),
                Query(f"sum({kind('kv_shared')})", "shared"),
            ],
            "bytes", width=12, height=9,
        ),
        Panel(
            "Engine memory",
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
            "Process memory and its limit",
            "limit: the lowest memory limit of the process's control groups; without a limit "
            "there is no line. At the limit the kernel kills the process.",
            [
                Query(f"max({kind('resident')})", "resident"),
                Query(f"max({kind('resident_anonymous')})", "resident, anonymous"),
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
    "Memory by kind, and the size of the same weights in FP16.",
    [NOW, WEIGHTS, CACHE, PROCESS],
)
