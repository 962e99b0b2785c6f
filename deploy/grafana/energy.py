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
    "Sources",
    [
        Panel(
            "Energy sources",
            "What each server reads, or why it cannot. Scope host: the whole machine or package, "
            "including other programs; process: this server alone.",
            [Query(f"sterna:energy_source_info{{{OURS}}}", "")],
            kind="table", width=24, height=5,
        ),
    ],
)  # fmt: skip

NOW = Row(
    "Now (source: $source)",
    [
        Panel(
            "Power ($source)", "Sum over all domains of this source.",
            [Query(f"sum(sterna:power_watts{{{SOURCED}}})", "")],
            "watt", "stat", width=8, height=4, decimals=1,
        ),
        Panel(
            "Joules per output token ($source)",
            "All energy of this source, including idle energy, divided by the tokens generated "
            "meanwhile.",
            [Query(f"{JOULES} / {OUTPUT}", "")], "joule", "stat", width=8, height=4, decimals=2,
        ),
        Panel(
            "Joules per input or output token ($source)",
            "The same, divided by prompt and output tokens.",
            [Query(f"{JOULES} / {EITHER}", "")], "joule", "stat", width=8, height=4, decimals=2,
        ),
    ],
)  # fmt: skip

MEASURED = Row(
    "Over time (source: $source)",
    [
        Panel(
            "Power by domain ($source)",
            "package: CPU sockets. dram: memory, if counted separately. gpu: graphics cards. "
            "host: the machine. The source estimate is a model of the load, not a measurement.",
            [Query(f"sum by (domain, source) (sterna:power_watts{{{SOURCED}}})",
                   "{{domain}}, {{source}}")],
            "watt",
        ),
        Panel(
            "Joules per token ($source)",
            "Energy divided by tokens in the same time. With little load, idle energy is shared "
            "by few tokens, and the value rises.",
            [
                Query(f"{JOULES} / {OUTPUT}", "per output token"),
                Query(f"{JOULES} / {EITHER}", "per input or output token"),
            ],
            "joule",
        ),
        Panel(
            "Idle and active ($source)",
            "Idle: while there was no work. Active: while there was, including the idle power of "
            "that time.",
            [Query(IDLE, "idle"), Query(f"clamp_min({JOULES} - {IDLE}, 0)", "active")],
            "watt", stacked=True,
        ),
    ],
)  # fmt: skip

MODELLED = Row(
    "Modelled arithmetic (computed from counted operations, not measured)",
    [
        Panel(
            "Modelled: arithmetic per output token, ternary and FP16",
            "Operations executed, times a table of picojoules (--energy-node): int8 additions "
            "for ternary weights, float16 multiplications and additions for comparison. Memory "
            "and leakage are not included.",
            [
                Query(f"{modelled('ternary')} / {OUTPUT}", "ternary"),
                Query(f"{modelled('fp16')} / {OUTPUT}", "FP16"),
            ],
            "joule", width=10, logarithmic=True,
        ),
        Panel(
            "Modelled: FP16 over ternary", "Ratio of the arithmetic energies.",
            [Query(f"{modelled('fp16')} / {modelled('ternary')}", "")],
            "suffix: x", "stat", width=5, decimals=1,
        ),
        Panel(
            "Modelled: ternary arithmetic by part",
            "linear: the ternary matrices. The head and attention are not ternary.",
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
    "Measured power and joules per token by source and, separately, modelled arithmetic energy.",
    [SOURCES, NOW, MEASURED, MODELLED],
    variables=[
        ("source", "Energy source", f"label_values(sterna:energy_joules_total{{{OURS}}}, source)")
    ],
)
