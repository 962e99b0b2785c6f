"""The output head: the logits of the selected rows, for both kinds of table."""

import numpy as np
import pytest

from sterna.engine.kernels import Table, narrow, widen
from tests.engine.kernels.programs import BACKENDS, make_program
from tests.engine.kernels.steps import plain_step


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
@pytest.mark.parametrize(("vocabulary", "width"), [(1, 1), (70, 33), (130, 256)])
def test_logits_of_selected_rows(backend: str, dtype: str, vocabulary: int, width: int) -> None:
    """Within K roundings of 2^-24 of the sum of magnitudes: any order of summation stays inside."""
    rng = np.random.default_rng(width)
    x = rng.standard_normal((9, width)).astype(np.float32)
    exact_table = rng.standard_normal((vocabulary, width)).astype(np.float32)
    table: Table = narrow(exact_table) if dtype == "bfloat16" else exact_table
    weight = rng.uniform(0.5, 2, width).astype(np.float32)
    step = plain_step(9)
    rows = np.array([0, 3, 4, 5, 8], np.int32)
    object.__setattr__(step, "logit_rows", rows)

    program = make_program(backend)
    normed = program.select_rms_norm(program.input_rows(x), weight, 1e-5)
    program.head(normed, table)
    logits = program.run(step)

    selected = x[rows].astype(np.float64)
    hidden = (
        weight.astype(np.float64) * selected / np.sqrt((selected**2).mean(-1, keepdims=True) + 1e-5)
    )
    exact = hidden @ widen(table).astype(np.float64).T
    bound = (width + 4) * 2.0**-24 * (np.abs(hidden) @ np.abs(widen(table).astype(np.float64).T))
    assert logits.shape == exact.shape
    assert (np.abs(logits - exact) <= bound).all()
