"""The comparison of distributions, by hand, and what it says of the built-in model."""

from math import log

import numpy as np
import pytest

from benchmarks.kv_dtype import ROOT, Comparison, measure


def test_figures_of_two_positions() -> None:
    expected = np.log([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25]])
    ours = np.log([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]])
    comparison = Comparison()
    comparison.add(ours, expected, [0, 2])
    comparison.add(ours[:1], expected[:1], [0])
    figures = comparison.figures()
    divergence = 0.5 * log(2) - 0.25 * log(2)
    assert figures["kl_mean"] == pytest.approx(divergence / 3)
    assert figures["kl_max"] == pytest.approx(divergence)
    assert figures["logit_difference_max"] == pytest.approx(log(2))
    assert figures["same_greedy_token"] == pytest.approx(2 / 3)
    assert figures["perplexity"] == pytest.approx((2 * 4 * 2) ** (1 / 3))


@pytest.mark.slow
def test_no_type_of_cache_changes_what_the_built_in_model_says() -> None:
    figures = measure(ROOT / "server" / "builtin_model", num_conversations=4)
    assert figures["positions"] > 2000
    float16, int8 = (figures["caches"][name] for name in ("float16", "int8"))
    assert 0 < float16["kl_mean"] < int8["kl_mean"] < 1e-3
    assert int8["same_greedy_token"] > 0.98
