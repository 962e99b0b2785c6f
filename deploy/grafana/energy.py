"""Energy: what was measured, with its source in each title; apart, what arithmetic would take.

Joules per token are computed here, from two rates: neither the server nor this keeps a gauge of
them. Modelled joules are never shown in a panel with measured ones.
"""

from deploy.grafana.dashboard import OURS, Dashboard, rate
from deploy.grafana.panels import Panel, Query, Row

SOURCED = f'{OURS}, source="$source"'
JOULES = f"sum({rate('sterna:energy_joules_total', SOURCED)})"
IDLE = f"sum({rate('sterna:energy_idle_joules_total', SOURCED)})"
OUTPUT = f"sum({rate('vllm:generation_tokens_total')})"
EITHER = f"({OUTPUT} + sum({rate('vllm:prompt_tokens_total')}))"


def modelled(precision: str, part: str = "") -> str:
    """Modelled watts of a precision, over all parts or for one."""
    labels = f'{OURS}, precision="{precision}"' + (f', part="{part}"' if part else "")
    return f"sum({rate('sterna:modelled_arithmetic_joules_total', labels)})"


SOURCES = Row(
    "What is measured",
    [
        Panel(
            "Sources of energy figures",
            "What each server reads, and where it reads nothing, why. scope host: the whole "
            "machine or package, neighbours included; process: this server alone.",
            [Query(f"sterna:energy_source_info{{{OURS}}}", "")],
            kind="table", width=24, height=5,
        ),
    ],
)  # fmt: skip

NOW = Row(
    "Now (source: $source)",
    [
        Panel(
            "Power ($source)", "Over all domains of this source.",
            [Query(f"sum(sterna:power_watts{{{SOURCED}}})", "")],
            "watt", "stat", width=8, height=4, decimals=1,
        ),
        Panel(
            "Joules per output token ($source)",
            "All energy of this source, idle included, over the tokens generated meanwhile.",
            [Query(f"{JOULES} / {OUTPUT}", "")], "joule", "stat", width=8, height=4, decimals=2,
        ),
        Panel(
            "Joules per token in or out ($source)",
            "The same over prompt and output tokens.",
            [Query(f"{JOULES} / {EITHER}", "")], "joule", "stat", width=8, height=4, decimals=2,
        ),
    ],
)  # fmt: skip

MEASURED = Row(
    "Over time (source: $source)",
    [
        Panel(
            "Power by domain ($source)",
            "package: CPU sockets. dram: memory, where it is counted apart. gpu: boards. host: "
            "the machine. A source estimate is a model of load, not a measurement.",
            [Query(f"sum by (domain, source) (sterna:power_watts{{{SOURCED}}})",
                   "{{domain}}, {{source}}")],
            "watt",
        ),
        Panel(
            "Joules per token ($source)",
            "Energy over tokens in the same time. Without load, idle energy has few tokens to go "
            "to, and the figure grows.",
            [
                Query(f"{JOULES} / {OUTPUT}", "per output token"),
                Query(f"{JOULES} / {EITHER}", "per token in or out"),
            ],
            "joule",
        ),
        Panel(
            "Idle against active ($source)",
            "Idle: while there was no work. Active: while there was, also what the machine would "
            "have taken at rest.",
            [Query(IDLE, "idle"), Query(f"clamp_min({JOULES} - {IDLE}, 0)", "active")],
            "watt", stacked=True,
        ),
    ],
)  # fmt: skip

MODELLED = Row(
    "Modelled arithmetic (computed from counted operations, not measured)",
    [
        Panel(
            "Modelled: arithmetic per output token, ternary against FP16",
            "The operations that were run, times a table of picojoules (--energy-node): additions "
            "of int8 where weights are ternary, against multiplications and additions of "
            "float16. Memory and leakage are not in it.",
            [
                Query(f"{modelled('ternary')} / {OUTPUT}", "ternary"),
                Query(f"{modelled('fp16')} / {OUTPUT}", "FP16"),
            ],
            "joule", width=10, logarithmic=True,
        ),
        Panel(
            "Modelled: FP16 over ternary", "How many times as much arithmetic energy.",
            [Query(f"{modelled('fp16')} / {modelled('ternary')}", "")],
            "suffix: x", "stat", width=5, decimals=1,
        ),
        Panel(
            "Modelled: ternary arithmetic by part",
            "linear: the ternary matrices. head and attention are not ternary.",
            [Query(
                "sum by (part) (rate(sterna:modelled_arithmetic_joules_total"
                f'{{{OURS}, precision="ternary"}}[$__rate_interval]))',
                "{{part}}",
            )],
            "watt", width=9, stacked=True,
        ),
    ],
)  # fmt: skip

ENERGY = Dashboard(
    "sterna-energy",
    "Sterna: energy",
    "Measured power and joules per token, by source; apart from it, the model of arithmetic.",
    [SOURCES, NOW, MEASURED, MODELLED],
    variables=[
        ("source", "Energy source", f"label_values(sterna:energy_joules_total{{{OURS}}}, source)")
    ],
)
