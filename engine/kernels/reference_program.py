"""A program that replays the functions of ``reference`` on torch tensors."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sterna.engine.kernels import reference
from sterna.engine.kernels.arrays import Floats, Ints, Table
from sterna.engine.kernels.int8_table import Int8Table
from sterna.engine.kernels.packing import PackedTernary
from sterna.engine.kernels.program import AttentionShape, QuantizedRows, Rows
from sterna.engine.kernels.step import CACHE_TOKENS, Logprobs, Sampling, Step


class ReferenceProgram:
    """Records closures over torch tensors and calls them in order; see ``Program``."""

    isa = "torch"

    def __init__(
        self, attention: AttentionShape | None = None, num_threads: int = 1, device: str = "cpu"
    ) -> None:
        torch.set_num_threads(num_threads)
        self._device = torch.device(device)
        self._ops: list[tuple[str, Callable[[dict[str, Tensor]], None]]] = []
        self._rows: list[Tensor] = []
        self._quantized: list[tuple[Tensor, Tensor]] = []
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._shape = attention
        if attention is not None:
            self._cos, self._sin = self._move(attention.cos), self._move(attention.sin)
            cache = (attention.num_layers, 2, attention.num_blocks * CACHE_TOKENS)
            heads = (attention.num_kv_heads, attention.head_size)
            self._cache = torch.zeros(*cache, *heads, device=self._device)  # rounded, as floats

    @property
    def num_threads(self) -> int:
        """Threads that torch computes with."""
        return torch.get_num_threads()

    @property
    def kv_cache_bytes(self) -> int:
        """Bytes of the KV cache."""
        return self._cache.nbytes if self._shape else 0

    @property
    def scratch_bytes(self) -> None:
        """Not known: torch allocates for each operation."""

    @property
    def num_held_up(self) -> int:
        """Not counted: torch's threads wait for each other."""
        return 0

    @property
    def seconds(self) -> Mapping[str, float]:
        """Seconds spent in each kind of operation since the start."""
        return dict(self._seconds)

    def input_rows(self, values: Floats) -> Rows:
        """Add rows with given values: the input of a program of a few operations."""
        self._rows.append(self._move(values))
        return Rows(len(self._rows) - 1, values.shape[1])

    def read(self, rows: Rows) -> Floats:
        """Return what an operation has put out."""
        return self._rows[rows.index].cpu().numpy()

    def read_quantized(self, rows: QuantizedRows) -> tuple[np.ndarray, Floats]:
        """Return the int8 values and the scales that an operation has put out."""
        q, scales = self._quantized[rows.index]
        return q.cpu().numpy(), scales.cpu().numpy()

    def embed(self, table: Table) -> Rows:
        """See ``Program``."""
        rows = self._move(table)
        return self._record("embed", table.shape[1], lambda step: rows[step["token_ids"]].float())

    def rms_norm_quantize(self, x: Rows, weight: Floats, eps: float) -> QuantizedRows:
        """See ``Program``."""
        factors = self._move(weight)
        return self._record_quantized(
            "rms_norm_quantize",
            x.width,
            lambda: reference.rms_norm(self._rows[x.index], factors, eps),
        )

    def ternary_matmul(self, x: QuantizedRows, weight: PackedTernary) -> Rows:
        """See ``Program``."""
        return self._record(
            "ternary_matmul",
            weight.out_features,
            lambda _: reference.ternary_matmul(*self._quantized[x.index], weight),
        )

    def ternary_matmul_add(self, x: QuantizedRows, weight: PackedTernary, total: Rows) -> None:
        """See ``Program``."""

        def run(_: dict[str, Tensor]) -> None:
            product = reference.ternary_matmul(*self._quantized[x.index], weight)
            self._rows[total.index] = self._rows[total.index] + product

        self._ops.append(("ternary_matmul", run))

    def gated_matmul(self, x: QuantizedRows, gate: PackedTernary, up: PackedTernary) -> Rows:
        """See ``Program``."""
        return self._record(
            "ternary_matmul",
            gate.out_features,
            lambda _: reference.gated_matmul(*self._quantized[x.index], gate, up),
        )

    def rotate_and_store(self, qkv: Rows, layer: int) -> None:
        """See ``Program``."""
        shape = self._attention_shape

        def run(step: dict[str, Tensor]) -> None:
            heads = self._rows[qkv.index].view(-1, qkv.width // shape.head_size, shape.head_size)
            first_value = shape.num_heads + shape.num_kv_heads
            queries, keys, values = heads.tensor_split((shape.num_heads, first_value), dim=1)
            cos, sin = self._cos[step["positions"]], self._sin[step["positions"]]
            queries = reference.rotate(queries, cos, sin) * shape.head_size**-0.5
            keys = reference.rotate(keys, cos, sin)
            slots = step["slots"]
            self._cache[layer, 0, slots] = reference.as_cached(keys, shape.kv_dtype)
            self._cache[layer, 1, slots] = reference.as_cached(values, shape.kv_dtype)
            self._rows[qkv.index] = torch.cat([queries, keys, values], dim=1).flatten(1)

        self._ops.append(("rotate_and_store", run))

    def attention(self, qkv: Rows, layer: int) -> Rows:
        """See ``Program``."""
        shape = self._attention_shape

        def run(step: dict[str, Tensor]) -> Tensor:
            queries = self._rows[qkv.index][:, : shape.query_size]
            queries = queries.view(-1, shape.num_heads, shape.head_size)
            blocks = self._cache[layer].view(2, -1, CACHE_TOKENS, *self._cache.shape[-2:])
            outputs = []
            starts = step["query_starts"].tolist()
            for r, (begin, end) in enumerate(pairwise(starts)):
                length = int(step["positions"][end - 1]) + 1
                table = step["block_tables"][r, : -(-length // CACHE_TOKENS)]
                keys, values = blocks[:, table].flatten(1, 2)[:, :length]
                outputs.append(
                    reference.attention(
                        queries[begin:end], keys, values, step["positions"][begin:end]
                    )
                )
            return torch.cat(outputs).flatten(1)

        return self._record("attention", shape.query_size, run)

    def select_rms_norm(self, x: Rows, weight: Floats, eps: float) -> Rows:
        """See ``Program``."""
        factors = self._move(weight)
        return self._record(
            "select_rms_norm",
            x.width,
            lambda step: reference.rms_norm(self._rows[x.index][step["logit_rows"]], factors, eps),
        )

    def head(self, x: Rows, table: Table) -> Rows:
        """See ``Program``."""
        rows = self._move(table)
        return self._record("head", table.shape[0], lambda _: self._rows[x.index] @ rows.float().T)

    def int8_head(self, x: Rows, int8: Int8Table, table: Table) -> Rows:
        """See ``Program``."""
        rows = self._move(table)
        return self._record(
            "int8_head",
            table.shape[0],
            lambda _: reference.int8_logits(self._rows[x.index], int8, rows),
        )

    def run(self, step: Step) -> Floats:
        """See ``Program``."""
        arrays = {
            name: self._move(getattr(step, name)).long() for name in Step.__dataclass_fields__
        }
        for kind, op in self._ops:
            start = time.perf_counter()
            op(arrays)
            self._seconds[kind] += time.perf_counter() - start
        return self._rows[-1].cpu().numpy()

    def sample(self, logits: Floats, sampling: Sampling) -> tuple[Ints, Floats]:
        """See ``Program``."""
        drawn = [
            reference.sample(torch.from_numpy(row), float(t), int(k), float(p), float(m), float(u))
            for row, t, k, p, m, u in zip(
                logits,
                sampling.temperature,
                sampling.top_k,
                sampling.top_p,
                sampling.min_p,
                sampling.uniform,
                strict=True,
            )
        ]
        tokens, logprobs = zip(*drawn, strict=True) if drawn else ((), ())
        return np.array(tokens, np.int32), np.array(logprobs, np.float32)

    def logprobs(self, logits: Floats, token_ids: Ints, num_top: int) -> Logprobs:
        """See ``Program``."""
        rows = [
            reference.logprobs(torch.from_numpy(row), int(token_id), num_top)
            for row, token_id in zip(logits, token_ids, strict=True)
        ]
        shape = (len(rows), num_top)
        return Logprobs(
            np.array([of_token for of_token, _, _ in rows], np.float32),
            np.array([ids for _, ids, _ in rows], np.int32).reshape(shape),
            np.array([logprobs for _, _, logprobs in rows], np.float32).reshape(shape),
        )

    @property
    def _attention_shape(self) -> AttentionShape:
        if self._shape is None:
            raise ValueError("attention: the program was made without an attention shape")
        return self._shape

    def _move(self, array: NDArray[np.generic]) -> Tensor:
        return reference.as_tensor(array).to(self._device)

    def _record(self, kind: str, width: int, op: Callable[[dict[str, Tensor]], Tensor]) -> Rows:
        rows = Rows(len(self._rows), width)
        self._rows.append(torch.empty(0, width, device=self._device))

        def run(step: dict[str, Tensor]) -> None:
            self._rows[rows.index] = op(step)

        self._ops.append((kind, run))
        return rows

    def _record_quantized(self, kind: str, width: int, op: Callable[[], Tensor]) -> QuantizedRows:
        rows = QuantizedRows(len(self._quantized), width)
        self._quantized.append((torch.empty(0), torch.empty(0)))

        def run(_: dict[str, Tensor]) -> None:
            self._quantized[rows.index] = reference.quantize(op())

        self._ops.append((kind, run))
        return rows
