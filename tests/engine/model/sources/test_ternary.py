"""Packed bytes read as transformers packs them; masters round as transformers rounds them."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor
from transformers.integrations.bitnet import pack_weights

from sterna.engine.model.sources.folder import Folder
from sterna.engine.model.sources.quantization import WeightForm
from sterna.engine.model.sources.safetensors_file import SafetensorsFile
from sterna.engine.model.sources.ternary import read_ternary
from tests.tiny_model import round_master


def read(
    folder: Path, tensors: dict[str, Tensor], form: WeightForm, out_features: int
) -> tuple[NDArray[np.int8], float]:
    save_file(tensors, folder / "model.safetensors")
    return read_ternary(Folder(folder), "w", form, out_features)


@pytest.mark.parametrize("out_features", [1, 2, 3, 4, 5, 7, 8, 10, 63, 64, 66])
def test_packed(tmp_path: Path, out_features: int) -> None:
    """Also where the number of rows is no multiple of 4: the last rows are padding."""
    weights = torch.randint(-1, 2, (out_features, 9))
    tensors = {"w": pack_weights(weights.clone()), "w_scale": torch.tensor([0.25])}
    read_weights, scale = read(tmp_path, tensors, WeightForm.SCALE_MULTIPLIES, out_features)
    assert read_weights.dtype == np.int8
    assert np.array_equal(read_weights, weights.numpy())
    assert scale == 0.25


def test_one_byte_by_hand(tmp_path: Path) -> None:
    """Byte [r, c] holds row r in bits 0-1, r + R in 2-3, and so on; a code is w + 1."""
    tensors = {
        "w": torch.tensor([[0b00_01_10_00], [0b01_01_01_10]], dtype=torch.uint8),
        "w_scale": torch.ones(1),
    }
    weights, _ = read(tmp_path, tensors, WeightForm.SCALE_MULTIPLIES, 8)
    assert weights.flatten().tolist() == [-1, 1, 1, 0, 0, 0, -1, 0]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_scale_that_divides(tmp_path: Path, dtype: torch.dtype) -> None:
    stored = torch.tensor([1.37], dtype=dtype)
    tensors = {"w": torch.zeros(1, 1, dtype=torch.uint8), "w_scale": stored}
    _, scale = read(tmp_path, tensors, WeightForm.SCALE_DIVIDES, 4)
    assert scale == (1 / stored.float()).item()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("deviation", [0.02, 3.0, 1e-7])
def test_masters(tmp_path: Path, dtype: torch.dtype, deviation: float) -> None:
    """The same ternary weights; a scale that is off by the rounding of transformers' mean.

    Its sum of 4,081 floats is off by some units in the last place, ours of doubles by none.
    """
    master = (torch.randn(77, 53) * deviation).to(dtype)
    weights, scale = read(tmp_path, {"w": master}, WeightForm.MASTER, 77)
    expected = round_master(master.float()).numpy()
    assert np.array_equal(weights, np.sign(expected))
    np.testing.assert_allclose(weights * np.float32(scale), expected, rtol=4 * 2.0**-23)


def test_masters_of_zero(tmp_path: Path) -> None:
    weights, scale = read(tmp_path, {"w": torch.zeros(4, 4)}, WeightForm.MASTER, 4)
    assert not weights.any()
    assert math.isclose(scale, 1e-5, rel_tol=1e-6)


def test_masters_on_disk_stay_as_they_are(tmp_path: Path) -> None:
    """float32 needs no conversion, so that rounding must not happen in the mapped file."""
    master = torch.randn(8, 8)
    read(tmp_path, {"w": master}, WeightForm.MASTER, 8)
    assert np.array_equal(SafetensorsFile(tmp_path / "model.safetensors").read("w"), master.numpy())
