"""Ternary weights that are stored as floats: each a scale times -1, 0 or 1."""

from typing import Final

import numpy as np

from sterna.engine.kernels import Floats
from sterna.engine.model.sources.source import TernaryTensor

_GROUPS: Final = (256, 128, 64)  # inputs that share a scale, where a row does not


def split_ternary(values: Floats) -> TernaryTensor:
    """Return the weights and scales of floats [N, K], by rows or by the largest groups that fit.

    Raises ValueError, with the largest deviation, for floats that are not ternary.
    """
    inputs = values.shape[1]
    for group in (inputs, *(group for group in _GROUPS if inputs % group == 0)):
        grouped = values.reshape(len(values), -1, group)
        scales = np.abs(grouped).max(-1)
        if np.isfinite(scales).all() and _is_ternary(grouped, scales):
            return TernaryTensor(np.sign(values).astype(np.int8), scales)
    raise ValueError(f"a weight that is {_deviation(grouped, scales):.3g} of its scale away")


def _is_ternary(grouped: Floats, scales: Floats) -> bool:
    magnitudes = np.abs(grouped)
    return bool(((magnitudes == 0) | (magnitudes == scales[..., None])).all())


def _deviation(grouped: Floats, scales: Floats) -> float:
    """Return how far a weight is from -1, 0 and 1 at most, in the smallest groups."""
    ratios = np.abs(grouped) / np.maximum(scales[..., None], np.finfo(np.float32).tiny)
    return float(np.minimum(ratios, 1 - ratios).max())
