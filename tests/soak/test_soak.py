"""The short form of ``make soak``: a minute, too little to tell a slope from warming up."""

from pathlib import Path

from tests.soak.report import Report, slope_of
from tests.soak.soak import soak


async def test_mixed_load_breaks_no_promise(tmp_path: Path) -> None:
    report = await soak(seconds=60, seed=1, folder=tmp_path)
    assert report.broken(max_slope=None) == [], report.text()


def test_a_leak_has_a_slope() -> None:
    assert slope_of([(0.0, 5.0), (1.0, 7.0), (2.0, 9.0)]) == 2
    report = Report(memory=[(i / 10, 100 + i * 0.2) for i in range(100)])
    report.metrics = dict.fromkeys(
        ("sterna:kv_cache_blocks_used", "vllm:num_requests_running",
         "vllm:generation_tokens_total", "vllm:num_preemptions_total"), 0.0,
    )  # fmt: skip
    assert "memory grows by 2.00 MB a minute" in report.broken(max_slope=1.0)
