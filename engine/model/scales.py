"""The scales of a ternary matrix: from the groups of a file to those that the kernels take."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sterna.engine.kernels import Floats
from sterna.engine.kernels.packing import pack_group_scales


@dataclass(frozen=True, slots=True)
class FittedScales:
    """A factor for each row, float32 [N], and one for each group of its inputs, [N, G] or None."""

    of_rows: Floats
    of_groups: Floats | None


def fit_scales(scales: Floats, inputs: int, group: int | None) -> FittedScales:
    """Fit scales [N, G'] of a matrix with K inputs to groups of ``group`` inputs; None: to rows.

    A row whose scales are all equal gets them as its own factor. Raises ValueError, saying what
    was found, for scales that do not fit.
    """
    if not np.isfinite(scales).all():
        raise ValueError("scales that are not finite")
    num_groups = 1 if group is None else -(-inputs // group)
    if (scales == scales[:, :1]).all():
        ones = np.ones((len(scales), num_groups), np.float32)
        return FittedScales(scales[:, 0].copy(), None if group is None else ones)
    stored = inputs // scales.shape[1]
    if group is None:
        raise ValueError(f"scales of groups of {stored} that differ within a row")
    return FittedScales(np.ones(len(scales), np.float32), _regroup(scales, stored, group))


def _regroup(scales: Floats, stored: int, group: int) -> Floats:
    if stored % group == 0:
        return np.repeat(scales, stored // group, axis=1)
    if group % stored == 0:
        merged = scales.reshape(len(scales), -1, group // stored)
        if (merged == merged[..., :1]).all():
            return np.ascontiguousarray(merged[..., 0])
    raise ValueError(f"scales of groups of {stored} that differ within groups of {group}")


def join_scales(parts: list[FittedScales]) -> tuple[Floats, NDArray[np.float16] | None]:
    """Return the scales of a matrix made of parts, as the kernels take them.

    Raises ValueError for a group's scale that float16 does not hold.
    """
    of_rows = np.concatenate([part.of_rows for part in parts])
    of_groups = [part.of_groups for part in parts if part.of_groups is not None]
    return of_rows, pack_group_scales(np.concatenate(of_groups)) if of_groups else None
