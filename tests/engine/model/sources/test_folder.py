"""Every tensor is accounted for: what is wrong with a checkpoint is said in one line."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from sterna.engine.errors import CheckpointError
from sterna.engine.model.load import load_weights
from tests.engine.model.editable import EMBEDDING, Q_PROJ, Q_SCALE, EditableCheckpoint

Edit = Callable[[EditableCheckpoint], None]
BF16 = torch.bfloat16


def set_tensor(name: str, tensor: torch.Tensor) -> Edit:
    return lambda checkpoint: checkpoint.tensors.update({name: tensor})


def drop(name: str) -> Edit:
    def edit(checkpoint: EditableCheckpoint) -> None:
        del checkpoint.tensors[name]

    return edit


def set_byte(row: int, column: int, value: int) -> Edit:
    def edit(checkpoint: EditableCheckpoint) -> None:
        checkpoint.tensors[Q_PROJ][row, column] = value

    return edit


def set_config(**fields: object) -> Edit:
    return lambda checkpoint: checkpoint.config.update(fields)


def with_masters(**of_q_proj: float) -> Edit:
    """Replace the packed weights by masters, with some value in the middle of one."""

    def edit(checkpoint: EditableCheckpoint) -> None:
        checkpoint.config["quantization_config"]["quantization_mode"] = "online"
        for name in [name for name in checkpoint.tensors if name.endswith("_proj.weight")]:
            rows, columns = checkpoint.tensors[name].shape
            checkpoint.tensors[name] = torch.ones(4 * rows, columns, dtype=BF16)
            del checkpoint.tensors[f"{name}_scale"]
        for value in of_q_proj.values():
            checkpoint.tensors[Q_PROJ][3, 5] = value

    return edit


BROKEN: dict[str, tuple[Edit, list[str]]] = {
    "missing": (drop("model.norm.weight"), ["model.norm.weight", "found nothing", "BF16 [64]"]),
    "missing matrix": (drop(Q_PROJ), [Q_PROJ, "found nothing", "U8 [16, 64]"]),
    "missing scale": (drop(Q_SCALE), [Q_SCALE, "found nothing", "BF16 [1]"]),
    "missing head": (set_config(tie_word_embeddings=False), ["lm_head.weight", "found nothing"]),
    "missing layer": (set_config(num_hidden_layers=3), ["layers.2.", "found nothing"]),
    "extra": (
        set_tensor("model.layers.0.self_attn.q_proj.bias", torch.zeros(64)),
        ["q_proj.bias", "F32 [64]", "no tensor of this name"],
    ),
    "extra layer": (set_config(num_hidden_layers=1), ["layers.1.", "no tensor of this name"]),
    "norm shape": (
        set_tensor("model.norm.weight", torch.ones(65)),
        ["model.norm.weight", "F32 [65]", "F32 [64]"],
    ),
    "matrix shape": (
        set_tensor(Q_PROJ, torch.zeros(16, 60, dtype=torch.uint8)),
        [Q_PROJ, "U8 [16, 60]", "U8 [16, 64]"],
    ),
    "vocabulary": (set_config(vocab_size=513), [EMBEDDING, "BF16 [512, 64]", "BF16 [513, 64]"]),
    "scale shape": (set_tensor(Q_SCALE, torch.ones(2)), [Q_SCALE, "F32 [2]", "F32 [1]"]),
    "scale dtype": (
        set_tensor(Q_SCALE, torch.ones(1, dtype=torch.int32)),
        [Q_SCALE, "I32 [1]", "BF16 [1]"],
    ),
    "embedding dtype": (
        set_tensor(EMBEDDING, torch.zeros(512, 64, dtype=torch.int8)),
        [EMBEDDING, "I8 [512, 64]", "BF16 [512, 64]"],
    ),
    "packed where masters are stated": (
        lambda checkpoint: checkpoint.config.pop("quantization_config"),
        [Q_PROJ, "U8 [16, 64]", "BF16 [64, 64]"],
    ),
    "code 3": (set_byte(7, 9, 0b01_11_00_10), [Q_PROJ, "code 3 in byte [7, 9], 0x72", "codes 0,"]),
    "code 3 in the top bits": (set_byte(0, 0, 0b11_00_00_00), [Q_PROJ, "code 3", "0xc0"]),
    "scale zero": (set_tensor(Q_SCALE, torch.zeros(1)), [Q_SCALE, "0.0", "a finite scale"]),
    "scale negative": (set_tensor(Q_SCALE, -torch.ones(1)), [Q_SCALE, "-1.0", "above 0"]),
    "scale nan": (set_tensor(Q_SCALE, torch.tensor([torch.nan])), [Q_SCALE, "nan", "a finite"]),
    "scale inf": (set_tensor(Q_SCALE, torch.tensor([torch.inf])), [Q_SCALE, "inf", "a finite"]),
    "norm nan": (
        set_tensor("model.norm.weight", torch.full((64,), torch.nan)),
        ["model.norm.weight", "not finite", "finite values"],
    ),
    "master nan": (with_masters(value=torch.nan), [Q_PROJ, "not finite", "finite weights"]),
    "master inf": (with_masters(value=torch.inf), [Q_PROJ, "not finite", "finite weights"]),
    "unpacked but not ternary": (
        set_tensor(Q_PROJ, torch.full((64, 64), 0.5)),
        [Q_PROJ, "weight 0.5", "weights -1, 0 or 1"],
    ),
    "head unlike the tied embedding": (
        set_tensor("lm_head.weight", torch.zeros(512, 64, dtype=BF16)),
        ["lm_head.weight", "other values", EMBEDDING],
    ),
}


def assert_refused(folder: Path, cache_dir: Path, parts: list[str]) -> None:
    for _ in range(2):  # refused at later starts too, and nothing was kept
        with pytest.raises(CheckpointError) as caught:
            load_weights(folder, cache_dir)
        message = str(caught.value)
        for part in [str(folder), "found", "expected", *parts]:
            assert part in message
        assert "\n" not in message
        assert not cache_dir.exists() or not any(cache_dir.iterdir())


@pytest.mark.parametrize("case", BROKEN)
def test_refused_in_one_line(checkpoint: EditableCheckpoint, tmp_path: Path, case: str) -> None:
    edit, parts = BROKEN[case]
    edit(checkpoint)
    assert_refused(checkpoint.write(), tmp_path / "cache", ["model.safetensors", "tensor", *parts])


def test_valid_masters_load(checkpoint: EditableCheckpoint, tmp_path: Path) -> None:
    """The cases above fail for the value they set, not for the way they set it."""
    with_masters()(checkpoint)
    load_weights(checkpoint.write(), tmp_path / "cache")


def test_needless_tensors_are_let_pass(checkpoint: EditableCheckpoint, tmp_path: Path) -> None:
    checkpoint.tensors["lm_head.weight"] = checkpoint.tensors[EMBEDDING].clone()
    checkpoint.tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(8)
    checkpoint.tensors["model.rotary_emb.inv_freq"] = torch.ones(8)
    weights = load_weights(checkpoint.write(), tmp_path / "cache")
    assert weights.head is weights.embedding


@pytest.mark.parametrize("num_bytes", [0, 5, 100, 5000, -1])
def test_truncated_file(checkpoint: EditableCheckpoint, tmp_path: Path, num_bytes: int) -> None:
    data = checkpoint.weights_file.read_bytes()
    checkpoint.weights_file.write_bytes(data[:num_bytes])
    assert_refused(checkpoint.folder, tmp_path / "cache", ["model.safetensors"])


def test_no_weights(checkpoint: EditableCheckpoint, tmp_path: Path) -> None:
    checkpoint.weights_file.unlink()
    assert_refused(checkpoint.folder, tmp_path / "cache", ["no weights", "model.safetensors"])
    for name in ("pytorch_model.bin", "model.pt", "model.pth"):  # formats that can hold code
        (checkpoint.folder / name).touch()
        assert_refused(checkpoint.folder, tmp_path / "cache", [name, "expected model.safetensors"])


def test_shards_load_as_one_file_does(checkpoint: EditableCheckpoint, tmp_path: Path) -> None:
    whole = load_weights(checkpoint.write(), tmp_path / "cache")
    index = checkpoint.write_shards()
    shards = load_weights(index.parent, tmp_path / "other")
    assert np.array_equal(whole.embedding, shards.embedding)
    for ours, theirs in zip(whole.layers, shards.layers, strict=True):
        assert np.array_equal(ours.matrices["qkv"].codes, theirs.matrices["qkv"].codes)
        assert np.array_equal(ours.norms["ffn_sub_norm"], theirs.norms["ffn_sub_norm"])


def test_missing_shard(checkpoint: EditableCheckpoint, tmp_path: Path) -> None:
    index = checkpoint.write_shards()
    shard = index.parent / "model-00003.safetensors"
    shard.unlink()
    with pytest.raises(CheckpointError, match=f"^{shard}: cannot be read: No such file"):
        load_weights(index.parent, tmp_path / "cache")


def test_shard_without_its_tensor(checkpoint: EditableCheckpoint, tmp_path: Path) -> None:
    index = checkpoint.write_shards()
    save_file({}, index.parent / "model-00003.safetensors")
    name = list(checkpoint.tensors)[3]
    assert_refused(index.parent, tmp_path / "cache", ["model-00003", name, "nothing"])


def test_shard_with_the_tensor_of_another(checkpoint: EditableCheckpoint, tmp_path: Path) -> None:
    index = checkpoint.write_shards()
    first, other = list(checkpoint.tensors)[:2]
    both = {name: checkpoint.tensors[name] for name in (first, other)}
    save_file(both, index.parent / "model-00000.safetensors")
    assert_refused(index.parent, tmp_path / "cache", ["model-00000", other, "does not place it"])


@pytest.mark.parametrize(
    ("weight_map", "parts"),
    [
        (None, ["weight_map", "nothing"]),
        ({}, ["weight_map", "nothing"]),
        ({"a": 5}, ["weight_map: a", "5", "the name of a file"]),
        ({"a": "../model.safetensors"}, ["weight_map: a", "../model", "the name of a file"]),
    ],
)
def test_broken_index(
    checkpoint: EditableCheckpoint, tmp_path: Path, weight_map: object, parts: list[str]
) -> None:
    index = checkpoint.write_shards()
    index.write_text(json.dumps({"weight_map": weight_map}))
    assert_refused(index.parent, tmp_path / "cache", ["model.safetensors.index.json", *parts])
