"""One ternary matrix of a checkpoint, in any form on disk: its weights and its scale."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sterna.engine.kernels import Floats, widen
from sterna.engine.model.sources.quantization import WeightForm
from sterna.engine.model.sources.source import Source

_MIN_ABSMEAN: Final = 1e-5


def read_ternary(
    source: Source, name: str, form: WeightForm, out_features: int
) -> tuple[NDArray[np.int8], float]:
    """Read the matrix called ``name``: int8 [out_features, K] of -1, 0, 1, and its scale.

    The scale multiplies, whatever the form. Raises CheckpointError for a code 3, for unpacked
    weights that are not ternary, and for a scale or masters that are not finite.
    """
    stored = source.floats(name)
    if form is WeightForm.MASTER:
        return _round_master(source, name, widen(stored))
    scale = _read_scale(source, f"{name}_scale")
    if stored.dtype == np.uint8:
        weights = _unpack(source, name, stored.view(np.uint8))[:out_features]
    else:
        weights = _from_unpacked(source, name, widen(stored))
    return weights, float(scale if form is WeightForm.SCALE_MULTIPLIES else np.float32(1) / scale)


def _round_master(source: Source, name: str, master: Floats) -> tuple[NDArray[np.int8], float]:
    """Round masters to ternary by their mean absolute value, in the float32 steps of transformers.

    The mean itself is summed in double and rounded once: transformers' depends on its threads.
    """
    mean = np.abs(master).mean(dtype=np.float64).astype(np.float32)
    inverse = np.float32(1) / np.maximum(mean, np.float32(_MIN_ABSMEAN))
    if not np.isfinite(inverse) or inverse == 0:
        raise source.error(name, "weights that are not finite", "finite weights")
    scaled = master * inverse
    np.rint(scaled, out=scaled)
    weights = np.clip(scaled, -1, 1, out=scaled).astype(np.int8)
    return weights, float(np.float32(1) / inverse)


def _read_scale(source: Source, name: str) -> np.float32:
    scale: np.float32 = widen(source.floats(name))[0]
    if not np.finfo(np.float32).tiny <= scale < np.inf:  # else its inverse may not be finite
        raise source.error(name, float(scale), "a finite scale above 0")
    return scale


def _unpack(source: Source, name: str, packed: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Unpack uint8 [R, K] into int8 [4R, K]: bits 2i and 2i+1 of row r hold row r + i * R.

    Where the true number of rows is no multiple of 4, the last rows are padding.
    """
    invalid = packed & (packed >> 1) & 0b01_01_01_01
    if invalid.any():
        row, column = (int(index) for index in np.argwhere(invalid)[0])
        raise source.error(
            name, f"code 3 in byte [{row}, {column}], {packed[row, column]:#04x}", "codes 0, 1, 2"
        )
    rows, columns = packed.shape
    weights = np.empty((4, rows, columns), np.int8)
    for position in range(4):
        codes = (packed >> (2 * position)) & 3
        np.subtract(codes.view(np.int8), 1, out=weights[position])
    return weights.reshape(4 * rows, columns)


def _from_unpacked(source: Source, name: str, stored: Floats) -> NDArray[np.int8]:
    weights = np.clip(np.rint(stored), -1, 1)
    if not np.array_equal(weights, stored):
        found = float(stored[weights != stored][0])
        raise source.error(name, f"weight {found}", "weights -1, 0 or 1, because there is a scale")
    return weights.astype(np.int8)
