"""What a soak has seen, and which promises that breaks."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

WARM_UP = 0.25  # of the run: pools fill, code is imported at its first use
MAX_GROWTH_MB = 24.0  # for runs too short for a slope


@dataclass
class Report:
    """Counts and samples; ``problems`` are promises that were seen broken."""

    statuses: Counter[int] = field(default_factory=Counter)
    deeds: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    num_compared: int = 0
    memory: list[tuple[float, float]] = field(default_factory=list)  # minutes, MB
    metrics: dict[str, float] = field(default_factory=dict)  # when all is quiet again

    def settled(self) -> list[tuple[float, float]]:
        """Samples of memory after the warm-up."""
        return self.memory[int(len(self.memory) * WARM_UP) :]

    def broken(self, max_slope: float | None) -> list[str]:
        """Promises that do not hold; max_slope: MB a minute, or None to look at growth only."""
        settled = [mb for _, mb in self.settled()]
        slope, growth = slope_of(self.settled()), max(settled) - settled[0]
        found = [f"{text} ({count} times)" for text, count in self.problems.items()]
        if max_slope is not None and slope > max_slope:
            found.append(f"memory grows by {slope:.2f} MB a minute")
        if max_slope is None and growth > MAX_GROWTH_MB:
            found.append(f"memory grew by {growth:.1f} MB")
        for name in ("sterna:kv_cache_blocks_used", "vllm:num_requests_running"):
            if self.metrics[name]:
                found.append(f"{name} is {self.metrics[name]:g} when all is quiet")
        for wanted in ("preempted", "refused because the queue was full", "compared"):
            if not self._seen()[wanted]:
                found.append(f"nothing was {wanted}: this run shows nothing about it")
        return found

    def text(self) -> str:
        """The figures, for people."""
        times, sizes = zip(*self.settled(), strict=True)
        lines = [
            f"{'minutes':34} {self.memory[-1][0]:.1f}",
            *(f"{name:34} {count}" for name, count in sorted(self.deeds.items())),
            *(f"{f'status {status}':34} {n}" for status, n in sorted(self.statuses.items())),
            *(f"{name:34} {count:g}" for name, count in self._seen().items()),
            f"{'memory, MB, after warm-up':34} {sizes[0]:.1f} -> {sizes[-1]:.1f}, "
            f"{slope_of(self.settled()):+.2f} a minute over {times[-1] - times[0]:.1f} minutes",
        ]
        return "\n".join(lines)

    def _seen(self) -> dict[str, float]:
        return {
            "tokens generated": self.metrics["vllm:generation_tokens_total"],
            "preempted": self.metrics["vllm:num_preemptions_total"],
            "refused because the queue was full": self.statuses[429],
            "compared": self.num_compared,
            "blocks in use at the end": self.metrics["sterna:kv_cache_blocks_used"],
        }


def slope_of(samples: Sequence[tuple[float, float]]) -> float:
    """Least squares."""
    mean_x = sum(x for x, _ in samples) / len(samples)
    mean_y = sum(y for _, y in samples) / len(samples)
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    return sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread if spread else 0.0
