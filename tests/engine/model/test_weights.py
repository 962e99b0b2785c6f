"""Loaded weights equal what transformers makes of the same folder; packing happens once."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers.integrations.bitnet import unpack_weights

from sterna.engine.kernels import Floats, PackedTernary, unpack_ternary, widen
from sterna.engine.model.load import load_weights
from sterna.engine.model.weights import ModelWeights
from sterna.engine.synth.checkpoint import synthesize_checkpoint
from tests.engine.model.editable import Q_PROJ, EditableCheckpoint
from tests.tiny_model import VARIANTS, reference_model, round_master, write_checkpoint

SCALE_ERROR = 4 * 2.0**-23  # of masters: transformers rounds the sum of their mean as it goes


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folders: dict[str, Path] = {}

    def make(variant: str) -> Path:
        if variant not in folders:
            folder = tmp_path_factory.mktemp("tiny") / variant
            folders[variant] = write_checkpoint(VARIANTS[variant], folder)
        return folders[variant]

    return make


def ours(matrix: PackedTernary) -> Floats:
    weights = unpack_ternary(matrix.codes, matrix.out_features, matrix.in_features)
    return weights * matrix.row_scales[:, None]


def theirs(*linears: Any) -> Floats:
    floats: Floats = torch.cat([_dequantized(linear) for linear in linears]).detach().numpy()
    return floats


def _dequantized(linear: Any) -> Tensor:
    """What transformers multiplies by: of AutoBitLinear online and offline, and of BitLinear."""
    weight: Tensor
    if linear.weight.dtype == torch.uint8:
        weight = unpack_weights(linear.weight, torch.float32) * (1 / linear.weight_scale)
    elif linear.online_quant:
        weight = round_master(linear.weight)
    else:
        weight = linear.weight * linear.weight_scale
    return weight


def assert_same(array: Floats, module: Any) -> None:
    assert np.array_equal(array, module.weight.detach().numpy())


@pytest.mark.parametrize("variant", VARIANTS)
def test_equals_transformers(variant: str, tiny: Callable[[str], Path], tmp_path: Path) -> None:
    weights = load_weights(tiny(variant), tmp_path)
    reference = reference_model(tiny(variant))
    assert_same(widen(weights.embedding), reference.model.embed_tokens)
    assert_same(widen(weights.head), reference.lm_head)
    assert (weights.head is weights.embedding) == VARIANTS[variant].tied
    assert_same(weights.norm, reference.model.norm)
    for layer, block in zip(weights.layers, reference.model.layers, strict=True):
        attention, mlp = block.self_attn, block.mlp
        linears = {
            "qkv": (attention.q_proj, attention.k_proj, attention.v_proj),
            "output": (attention.o_proj,),
            "gate": (mlp.gate_proj,),
            "up": (mlp.up_proj,),
            "down": (mlp.down_proj,),
        }
        assert layer.matrices.keys() == linears.keys()
        for name, matrix in layer.matrices.items():
            np.testing.assert_allclose(ours(matrix), theirs(*linears[name]), rtol=SCALE_ERROR)
        assert_same(layer.norms["input_norm"], block.input_layernorm)
        assert_same(layer.norms["attn_sub_norm"], attention.attn_sub_norm)
        assert_same(layer.norms["mlp_norm"], block.post_attention_layernorm)
        assert_same(layer.norms["ffn_sub_norm"], mlp.ffn_sub_norm)


@pytest.mark.parametrize(
    ("variant", "dtype"),
    [
        ("packed_gqa", np.uint16),  # bfloat16's bits
        ("online_f32", np.float32),
        ("online_f16", np.float32),
    ],
)
def test_embedding_keeps_its_precision(
    variant: str, dtype: type, tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    weights = load_weights(tiny(variant), tmp_path)
    assert weights.embedding.dtype == dtype
    assert weights.norm.dtype == np.float32


def test_bytes_of_the_weights(checkpoint: EditableCheckpoint, tmp_path: Path) -> None:
    weights = load_weights(checkpoint.folder, tmp_path / "cache")
    assert weights.embedding_bytes == 2 * 512 * 64
    assert weights.norm_bytes == 4 * (64 + 2 * (3 * 64 + 160))
    # 16 bytes an input for each block of 80 rows, and 4 bytes of scale a row
    blocks_inputs = ((2, 64), (1, 64), (2, 64), (2, 64), (1, 160))
    scales = 4 * (128 + 64 + 320 + 64)
    assert weights.ternary_bytes == 2 * (sum(16 * b * k for b, k in blocks_inputs) + scales)
    parts = weights.ternary_bytes + weights.embedding_bytes + weights.norm_bytes
    parts += weights.int8_head.num_bytes
    assert weights.num_bytes == parts


class Load:
    """Loads one checkpoint and tells how often it was packed."""

    def __init__(self, folder: Path, cache_dir: Path) -> None:
        self.folder, self.cache_dir, self.calls = folder, cache_dir, list[tuple[str, int, int]]()

    def __call__(self) -> ModelWeights:
        return load_weights(self.folder, self.cache_dir, lambda *call: self.calls.append(call))

    @property
    def num_packings(self) -> int:
        return sum(done == 0 for _, done, _ in self.calls)


@pytest.fixture
def load(checkpoint: EditableCheckpoint, tmp_path: Path) -> Load:
    return Load(checkpoint.folder, tmp_path / "cache")


def test_packed_once_with_its_progress_shown(load: Load) -> None:
    first, second = load(), load()
    assert load.calls == [("Packing weights", done, 2) for done in range(3)]
    assert len(list(load.cache_dir.iterdir())) == 1
    codes, again = (weights.layers[1].matrices["down"].codes for weights in (first, second))
    assert np.array_equal(codes, again)


def test_packing_leaves_no_page_of_the_checkpoint_in_memory(tmp_path: Path) -> None:
    synthesize_checkpoint("tiny", tmp_path / "model")
    weights = load_weights(tmp_path / "model", tmp_path / "cache")
    mappings = re.split(r"^(?=[0-9a-f]+-)", Path("/proc/self/smaps").read_text(), flags=re.M)
    sizes = [
        re.findall(r"^Rss: +(\d+) kB", mapping, re.M)
        for mapping in mappings
        if str(tmp_path / "model") in mapping
    ]
    assert sizes == [["0"]]
    assert np.isfinite(widen(weights.embedding)).all()


def test_changed_weights_are_noticed(checkpoint: EditableCheckpoint, load: Load) -> None:
    """Even where size and time stay as they were."""
    load()
    times = checkpoint.weights_file.stat().st_atime_ns, checkpoint.weights_file.stat().st_mtime_ns
    checkpoint.tensors[Q_PROJ].fill_(0b10_10_10_10)
    checkpoint.write()
    load()
    assert load.num_packings == 2
    checkpoint.tensors[Q_PROJ].fill_(0b00_00_00_00)
    checkpoint.write()
    os.utime(checkpoint.weights_file, ns=times)
    weights = load()
    assert load.num_packings == 3
    assert (ours(weights.layers[0].matrices["qkv"])[:64] < 0).all()


def test_changed_config_is_noticed(checkpoint: EditableCheckpoint, load: Load) -> None:
    before = load().layers[0].matrices["down"].row_scales[0]
    checkpoint.config["quantization_config"]["linear_class"] = "bitlinear"
    checkpoint.write()
    after = load().layers[0].matrices["down"].row_scales[0]
    assert load.num_packings == 2
    assert after == pytest.approx(1 / before)


def test_touched_weights_are_packed_again(checkpoint: EditableCheckpoint, load: Load) -> None:
    load()
    os.utime(checkpoint.weights_file, (1, 1))
    load()
    assert load.num_packings == 2


def test_checkpoints_of_one_name_have_files_of_their_own(tmp_path: Path) -> None:
    for parent in ("a", "b"):
        folder = EditableCheckpoint.make(tmp_path / parent / "model").folder
        load_weights(folder, tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 2
