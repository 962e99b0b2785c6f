"""One ternary matrix of a checkpoint, in any form on disk: its weights and its scale."""

from typing import Final

import torch
from torch import Tensor

from sterna.engine.model.sources.folder import Checkpoint
from sterna.engine.model.sources.quantization import WeightForm

_MIN_ABSMEAN: Final = 1e-5


def read_ternary(
    checkpoint: Checkpoint, name: str, form: WeightForm, out_features: int
) -> tuple[Tensor, float]:
    """Read the matrix called ``name``: int8 [out_features, K] of -1, 0, 1, and its scale.

    The scale multiplies, whatever the form. Raises CheckpointError for a code 3, for unpacked
    weights that are not ternary, and for a scale or masters that are not finite.
    """
    stored = checkpoint.read(name)
    if form is WeightForm.MASTER:
        return _round_master(checkpoint, name, stored)
    scale = _read_scale(checkpoint, f"{name}_scale")
    if stored.dtype == torch.uint8:
        weights = _unpack(checkpoint, name, stored)[:out_features]
    else:
        weights = _from_unpacked(checkpoint, name, stored)
    # Rounded to float32 by the division, as float32 arithmetic would.
    return weights, (1.0 / scale).item() if form is WeightForm.SCALE_DIVIDES else scale.item()


def _round_master(checkpoint: Checkpoint, name: str, stored: Tensor) -> tuple[Tensor, float]:
    """Round masters to ternary by their mean absolute value.

    These are the float32 steps of transformers, one by one, for the same weights to the last one.
    """
    master = stored.float()
    inverse = 1.0 / master.abs().mean().clamp_(min=_MIN_ABSMEAN)
    if not torch.isfinite(inverse) or inverse == 0:
        raise checkpoint.error(name, "weights that are not finite", "finite weights")
    weights = (master * inverse).round_().clamp_(-1, 1).to(torch.int8)
    return weights, (1.0 / inverse).item()


def _read_scale(checkpoint: Checkpoint, name: str) -> Tensor:
    scale = checkpoint.read(name).float()
    if not torch.isfinite(scale) or scale <= 0:
        raise checkpoint.error(name, scale.item(), "a finite scale above 0")
    return scale


def _unpack(checkpoint: Checkpoint, name: str, packed: Tensor) -> Tensor:
    """Unpack uint8 [R, K] into int8 [4R, K]: bits 2i and 2i+1 of row r hold row r + i * R.

    Where the true number of rows is no multiple of 4, the last rows are padding.
    """
    invalid = packed & (packed >> 1) & 0b01_01_01_01
    if invalid.any():
        row, column = (int(index) for index in invalid.nonzero()[0])
        raise checkpoint.error(
            name, f"code 3 in byte [{row}, {column}], {packed[row, column]:#04x}", "codes 0, 1, 2"
        )
    rows, columns = packed.shape
    weights = torch.empty(4, rows, columns, dtype=torch.int8)
    for position in range(4):
        torch.sub(((packed >> (2 * position)) & 3).view(torch.int8), 1, out=weights[position])
    return weights.view(4 * rows, columns)


def _from_unpacked(checkpoint: Checkpoint, name: str, stored: Tensor) -> Tensor:
    weights = stored.round().clamp(-1, 1)
    if not torch.equal(weights, stored):
        found = stored[weights != stored][0].item()
        raise checkpoint.error(
            name, f"weight {found}", "weights -1, 0 or 1, because there is a scale"
        )
    return weights.to(torch.int8)
