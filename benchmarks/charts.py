"""Draws the charts of README and docs/performance.md from the figures in benchmarks/results.

    python -m benchmarks.charts            # writes docs/images/*.svg

Plain SVG, so that a chart is a text that diffs, and needs no library.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = ROOT / "benchmarks" / "results"
IMAGES: Final = ROOT / "docs" / "images"

WIDTH: Final = 720
COLOURS: Final = ("#2f6f9f", "#c8553d", "#7a9e3f", "#d9a441", "#7b6ba8", "#8c8c8c")
PARTS: Final = {  # of a step: what its kernels are called in the chart
    "ternary matrices": ("ternary_matmul",),
    "output head": ("split_digits", "int8_head", "refine_head", "select_rms_norm"),
    "attention": ("rotate_and_store", "attention", "merge_attention"),
    "norms": ("rms_norm_quantize",),
    "embedding, sampling": ("embed", "sample"),
    "outside the kernels": ("outside",),
}


def main() -> None:
    """Draw both charts."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    http = json.loads((RESULTS / "http.json").read_text())
    model = json.loads((RESULTS / "model.json").read_text())
    (IMAGES / "throughput.svg").write_text(throughput(http))
    (IMAGES / "step.svg").write_text(step_times(model["steps"]))


def throughput(report: Mapping[str, Any]) -> str:
    """Bars of output tokens a second by number of clients, two servers side by side."""
    results = report["results"]
    urls = [server["url"] for server in report["servers"]]
    names = dict(zip(urls, ("Sterna", "llama.cpp"), strict=True))
    largest = max(result["output_tok_per_s"] for result in results)
    rows, y = [], 58
    for clients in sorted({result["clients"] for result in results}):
        label = f"{clients} client{'s' if clients > 1 else ''}"
        rows.append(text(20, y + 27, label))
        for url in urls:
            value = next(
                r["output_tok_per_s"] for r in results if (r["clients"], r["url"]) == (clients, url)
            )
            width = 480 * value / largest
            rows.append(bar(120, y, width, COLOURS[urls.index(url)], 20))
            rows.append(text(128 + width, y + 15, f"{value:.0f}  {names[url]}"))
            y += 22
        y += 16
    title = "Output tokens per second over HTTP, 2B-4T shape, 64 tokens in, 64 out, two cores"
    return svg(y, [heading(title), *rows])


def step_times(steps: Sequence[Mapping[str, Any]]) -> str:
    """Bars of where the time of a step goes, each of full width, with its milliseconds."""
    rows, y = [], 58
    for step in steps:
        times = [sum(step.get(kind, 0.0) for kind in kinds) for kinds in PARTS.values()]
        rows.append(text(20, y + 19, str(step["step"])))
        rows.append(text(WIDTH - 100, y + 19, f"{step['total']:.1f} ms"))
        x = 120.0
        for time, colour in zip(times, COLOURS, strict=True):
            width = 480 * time / sum(times)
            rows.append(bar(x, y, width, colour, 28))
            x += width
        y += 42
    for index, (part, colour) in enumerate(zip(PARTS, COLOURS, strict=True)):
        x = 120 + index % 3 * 190
        rows.append(bar(x, y + index // 3 * 22, 12, colour, 12))
        rows.append(text(x + 18, y + 11 + index // 3 * 22, part))
    return svg(y + 54, [heading("Where the time of a step goes, 2B-4T shape, two cores"), *rows])


def heading(title: str) -> str:
    """A bold line at the top."""
    return f'<text x="20" y="32" font-weight="bold">{title}</text>'


def text(x: float, y: float, content: str) -> str:
    """A line of text."""
    return f'<text x="{x:.0f}" y="{y:.0f}">{content}</text>'


def bar(x: float, y: float, width: float, colour: str, height: float) -> str:
    """A filled rectangle."""
    return (
        f'<rect x="{x:.1f}" y="{y:.0f}" width="{width:.1f}" height="{height:.0f}" fill="{colour}"/>'
    )


def svg(height: float, elements: Sequence[str]) -> str:
    """Put elements on a white page."""
    body = "\n".join(elements)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
        'font-family="sans-serif" font-size="14">\n'
        f'<rect width="{WIDTH}" height="{height:.0f}" fill="white"/>\n{body}\n</svg>\n'
    )


if __name__ == "__main__":
    main()
