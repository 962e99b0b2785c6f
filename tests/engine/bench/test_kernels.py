"""``sterna bench kernels`` measures every kernel of the network, against limits of the same run."""

import pytest

from sterna.engine.bench import limits
from sterna.engine.bench.kernels import TOKEN_COUNTS, bench_kernels
from sterna.engine.errors import ConfigError


@pytest.fixture(autouse=True)
def small_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_PROBE_BYTES", 1 << 20)
    monkeypatch.setattr(limits, "_ROUNDS", 100)


def test_the_report_has_every_kernel_at_every_size() -> None:
    report = bench_kernels(num_threads=2, shape="tiny", repeats=2)
    figures = report.to_dict()
    assert figures["threads"] == 2
    for key in ("read_gb_per_s", "peak_gmac_per_s", "gemv_gb_per_s", "gemm_gmac_per_s"):
        assert figures[key] > 0
    for key in ("gemv_fraction", "gemm_fraction"):
        assert figures[key] > 0
    kinds = {
        "attention",
        "embed",
        "int8_head",
        "merge_attention",
        "refine_head",
        "rms_norm_quantize",
        "rotate_and_store",
        "select_rms_norm",
        "split_digits",
        "ternary_matmul",
    }
    measured = {(time.kernel, time.tokens) for time in report.kernels}
    assert measured == {(kind, tokens) for kind in kinds for tokens in TOKEN_COUNTS}


def test_an_unknown_shape_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown shape 'huge'"):
        bench_kernels(shape="huge")
