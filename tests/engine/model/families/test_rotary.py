"""Rotary tables are those of transformers, rounded once."""

import numpy as np
import pytest
import torch

from sterna.engine.model.families.rotary import rotary_tables


@pytest.mark.parametrize(("head_size", "theta"), [(64, 10_000.0), (128, 500_000.0), (30, 1e6)])
def test_differ_from_transformers_in_the_last_bit_at_most(head_size: int, theta: float) -> None:
    """The angles are equal; torch's cosine is off by up to one unit in the last place."""
    exponents = torch.arange(0, head_size, 2, dtype=torch.int64).float() / head_size
    angles = torch.outer(torch.arange(2048).float(), 1.0 / theta**exponents)
    cos, sin = rotary_tables(head_size, theta, 2048)
    for ours, theirs in ((cos, angles.cos()), (sin, angles.sin())):
        assert ours.dtype == np.float32
        np.testing.assert_array_max_ulp(ours, theirs.numpy(), maxulp=1)
