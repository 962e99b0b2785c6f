"""From a checkpoint to the weights that the network runs on.

Ternary matrices are fused and packed, norms become float32, and the head gets a table in int8;
these are kept in the packed cache.
Embedding and head stay where they are: bfloat16 and float32 are mapped from the checkpoint's own
file, float16 is kept as float32 in the cache.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from sterna.engine.config import HeadType
from sterna.engine.kernels.int8_table import (
    INT8_PARTS,
    Int8Table,
    int8_codes_shape,
    pack_int8_table,
)
from sterna.engine.kernels.packing import PackedTernary, codes_shape, pack_ternary
from sterna.engine.model.config import ModelConfig, read_model_config
from sterna.engine.model.packed_cache import PackedCache, Store, TensorShape
from sterna.engine.model.sources.folder import Checkpoint
from sterna.engine.model.sources.ternary import read_ternary
from sterna.engine.model.tensor_names import (
    EMBEDDING,
    FINAL_NORM,
    HEAD,
    MATRICES,
    NORMS,
    layer_tensor,
    matrix_shapes,
    norm_sizes,
)

Progress = Callable[[str, int, int], None]
"""Told what is going on, how much of it is done, and how much there is in all."""

_MAPPED_DTYPES: Final = (torch.bfloat16, torch.float32)
_PACKING: Final = "Packing weights"


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """One layer. Norms are float32 vectors; qkv has the rows of q, k and v."""

    input_norm: Tensor
    qkv: PackedTernary
    attn_sub_norm: Tensor
    output: PackedTernary
    mlp_norm: Tensor
    gate: PackedTernary
    up: PackedTernary
    ffn_sub_norm: Tensor
    down: PackedTernary

    @property
    def matrices(self) -> tuple[PackedTernary, ...]:
        """The ternary matrices, in the order of use."""
        return self.qkv, self.output, self.gate, self.up, self.down

    @property
    def norms(self) -> tuple[Tensor, ...]:
        """The norms, in the order of use."""
        return self.input_norm, self.attn_sub_norm, self.mlp_norm, self.ffn_sub_norm


@dataclass(frozen=True, slots=True)
class ModelWeights:
    """All weights, mapped from files where possible: read them, never write to them.

    embedding: [vocab_size, hidden_size], bfloat16 or float32. head: of the same shape; where
    embeddings are tied it is the embedding itself. int8_head: the head's table in int8. norm:
    float32 [hidden_size], before the head.
    """

    config: ModelConfig
    embedding: Tensor
    head: Tensor
    int8_head: Int8Table
    norm: Tensor
    layers: tuple[LayerWeights, ...]

    @property
    def ternary_bytes(self) -> int:
        """Bytes of all ternary matrices as packed, with their row scales."""
        return sum(matrix.num_bytes for layer in self.layers for matrix in layer.matrices)

    @property
    def embedding_bytes(self) -> int:
        """Bytes of the embedding, and of the head where it is another matrix."""
        head_bytes = 0 if self.head is self.embedding else self.head.nbytes
        return self.embedding.nbytes + head_bytes

    def head_bytes(self, head: HeadType) -> int:
        """Bytes of the table that the logits come from; of the int8 head's, its own alone."""
        return self.head.nbytes if head == "bf16" else self.int8_head.num_bytes

    @property
    def norm_bytes(self) -> int:
        """Bytes of all norms."""
        return self.norm.nbytes + sum(norm.nbytes for layer in self.layers for norm in layer.norms)

    @property
    def num_bytes(self) -> int:
        """Bytes of all weights."""
        parts = (
            self.ternary_bytes,
            self.embedding_bytes,
            self.int8_head.num_bytes,
            self.norm_bytes,
        )
        return sum(parts)


def load_weights(path: Path, cache_dir: Path, progress: Progress | None = None) -> ModelWeights:
    """Load the checkpoint in a folder; packs it first, unless ``cache_dir`` has it packed.

    Raises CheckpointError for anything that cannot be served.
    """
    config = read_model_config(path)
    checkpoint = Checkpoint.open(path, config)
    packing = _Packing(config, checkpoint, progress or (lambda what, done, total: None))
    cache = PackedCache(_cache_file(path, cache_dir), checkpoint.fingerprint(), packing.shapes())
    with _one_thread():
        tensors = cache.tensors(packing.fill)
    # Opened anew: packing has read all of the old mapping, whose pages go with it.
    return replace(packing, checkpoint=Checkpoint.open(path, config)).assemble(tensors)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch use one thread: packing waits for memory, on which more threads only spin.

    It also fixes the order in which means are summed, so every machine rounds masters alike.
    """
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(num_threads)


def _cache_file(path: Path, cache_dir: Path) -> Path:
    """Return one name for each checkpoint folder, telling to a reader and distinct."""
    folder = path.resolve()
    return cache_dir / f"{folder.name}-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class _Packing:
    """What is packed from a checkpoint: the shapes, the making, and the way back."""

    config: ModelConfig
    checkpoint: Checkpoint
    progress: Progress

    def shapes(self) -> dict[str, TensorShape]:
        """Return the tensors of the packed cache: name -> dtype and shape."""
        shapes: dict[str, TensorShape] = {}
        for layer in range(self.config.num_layers):
            for name, size in norm_sizes(self.config).items():
                shapes[f"{layer}.{name}"] = torch.float32, (size,)
            for name in MATRICES:
                outputs, inputs = self._fused_shape(name)
                shapes[f"{layer}.{name}.codes"] = torch.uint8, codes_shape(outputs, inputs)
                shapes[f"{layer}.{name}.row_scales"] = torch.float32, (outputs,)
        shapes[FINAL_NORM] = torch.float32, (self.config.hidden_size,)
        vocab_size, hidden_size = self.config.vocab_size, self.config.hidden_size
        shapes["int8_head.codes"] = torch.int8, int8_codes_shape(vocab_size, hidden_size)
        for name in INT8_PARTS[1:]:
            dtype = torch.int32 if name == "sums" else torch.float32
            shapes[f"int8_head.{name}"] = dtype, (vocab_size,)
        for name in self._widened():
            shapes[name] = torch.float32, (self.config.vocab_size, self.config.hidden_size)
        return shapes

    def fill(self, store: Store) -> None:
        """Make and store all tensors of ``shapes``, one matrix in memory at a time."""
        if self.config.tie_embeddings:
            self.checkpoint.check_tied_head()
        num_layers = self.config.num_layers
        for layer in range(num_layers):
            self.progress(_PACKING, layer, num_layers)
            for name, module in NORMS.items():
                store(f"{layer}.{name}", self._norm(layer_tensor(layer, module)))
            for name in MATRICES:
                codes, row_scales = self._pack(layer, name)
                store(f"{layer}.{name}.codes", codes)
                store(f"{layer}.{name}.row_scales", row_scales)
        store(FINAL_NORM, self._norm(FINAL_NORM))
        table = pack_int8_table(self.checkpoint.read(self._head_name))
        for name in INT8_PARTS:
            store(f"int8_head.{name}", getattr(table, name))
        for name in self._widened():
            store(name, self.checkpoint.read(name).float())
        self.progress(_PACKING, num_layers, num_layers)

    def assemble(self, tensors: dict[str, Tensor]) -> ModelWeights:
        """Return the weights from the packed tensors and the checkpoint's own."""
        embedding = self._vocab(EMBEDDING, tensors)
        return ModelWeights(
            config=self.config,
            embedding=embedding,
            head=embedding if self.config.tie_embeddings else self._vocab(HEAD, tensors),
            int8_head=Int8Table(*(tensors[f"int8_head.{name}"] for name in INT8_PARTS)),
            norm=tensors[FINAL_NORM],
            layers=tuple(self._layer(layer, tensors) for layer in range(self.config.num_layers)),
        )

    def _layer(self, layer: int, tensors: dict[str, Tensor]) -> LayerWeights:
        def matrix(name: str) -> PackedTernary:
            codes, scales = (tensors[f"{layer}.{name}.{part}"] for part in ("codes", "row_scales"))
            return PackedTernary(codes, scales, *self._fused_shape(name))

        return LayerWeights(
            input_norm=tensors[f"{layer}.input_norm"],
            qkv=matrix("qkv"),
            attn_sub_norm=tensors[f"{layer}.attn_sub_norm"],
            output=matrix("output"),
            mlp_norm=tensors[f"{layer}.mlp_norm"],
            gate=matrix("gate"),
            up=matrix("up"),
            ffn_sub_norm=tensors[f"{layer}.ffn_sub_norm"],
            down=matrix("down"),
        )

    def _fused_shape(self, name: str) -> tuple[int, int]:
        shapes = [matrix_shapes(self.config)[module] for module in MATRICES[name]]
        return sum(outputs for outputs, _ in shapes), shapes[0][1]

    def _pack(self, layer: int, name: str) -> tuple[Tensor, Tensor]:
        """Return codes and row scales of one fused matrix."""
        parts = list(self._parts(layer, name))
        codes = pack_ternary(torch.cat([weights for weights, _ in parts]))
        return codes, torch.cat([torch.full(weights.shape[:1], scale) for weights, scale in parts])

    def _parts(self, layer: int, name: str) -> Iterator[tuple[Tensor, float]]:
        for module in MATRICES[name]:
            outputs, _ = matrix_shapes(self.config)[module]
            tensor = layer_tensor(layer, module)
            yield read_ternary(self.checkpoint, tensor, self.config.weight_form, outputs)

    def _norm(self, name: str) -> Tensor:
        norm = self.checkpoint.read(name).float()
        if not torch.isfinite(norm).all():
            raise self.checkpoint.error(name, "values that are not finite", "finite values")
        return norm

    @property
    def _head_name(self) -> str:
        return EMBEDDING if self.config.tie_embeddings else HEAD

    def _widened(self) -> list[str]:
        """Return which of embedding and head cannot be used as they are on disk."""
        names = [EMBEDDING] if self.config.tie_embeddings else [EMBEDDING, HEAD]
        files = self.checkpoint.files
        return [name for name in names if files[name].tensors[name].dtype not in _MAPPED_DTYPES]

    def _vocab(self, name: str, tensors: dict[str, Tensor]) -> Tensor:
        return tensors[name] if name in tensors else self.checkpoint.read(name)
