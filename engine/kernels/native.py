"""A program that runs in C++: records into ``_native.Program``, runs with one call a step."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sterna.engine.kernels import _native
from sterna.engine.kernels.arrays import Codes, Floats, Ints, Table
from sterna.engine.kernels.int8_table import Int8Table
from sterna.engine.kernels.packing import PackedTernary
from sterna.engine.kernels.program import AttentionShape, QuantizedRows, Rows
from sterna.engine.kernels.step import Logprobs, Sampling, Step


class NativeProgram:
    """Owns the buffers' handles and keeps the weights alive; see ``Program``.

    isa: "" for the best of this CPU. Raises ValueError for one that it cannot run.
    """

    def __init__(
        self,
        attention: AttentionShape | None = None,
        num_threads: int = 1,
        max_tokens: int = 256,
        max_logits: int = 64,
        isa: str = "",
    ) -> None:
        self._program = _native.Program(isa, num_threads, max_tokens, max_logits)
        self._shape = attention
        self._buffers: dict[tuple[str, int], int] = {}
        self._weights: list[NDArray[np.generic]] = []  # the program points into them
        self._logits: Floats | None = None
        if attention is not None:
            self._program.set_attention(
                attention.num_heads,
                attention.num_kv_heads,
                attention.head_size,
                attention.num_layers,
                attention.num_blocks,
                attention.kv_dtype,
                attention.cos,
                attention.sin,
            )

    @property
    def isa(self) -> str:
        """The instruction set in use."""
        return self._program.isa

    @property
    def num_threads(self) -> int:
        """Threads that compute, the caller's included."""
        return self._program.num_threads

    @property
    def kv_cache_bytes(self) -> int:
        """Bytes of the KV cache when it is full; memory is committed as it fills."""
        return self._program.kv_cache_bytes

    @property
    def scratch_bytes(self) -> int:
        """Bytes of the activations of the largest step; memory is committed when written."""
        return self._program.scratch_bytes

    @property
    def num_held_up(self) -> int:
        """Steps that lost a quarter of their time to a thread that the system did not let run.

        The steps that follow do with fewer threads for a while.
        """
        return self._program.num_held_up

    @property
    def seconds(self) -> Mapping[str, float]:
        """Seconds spent in each kind of operation since the start."""
        return self._program.seconds

    def input_rows(self, values: Floats) -> Rows:
        """Add rows with given values: the input of a program of a few operations."""
        rows = Rows(self._program.add_rows(values.shape[1]), values.shape[1])
        self._program.rows_view(rows.index)[: len(values)] = values
        return rows

    def read(self, rows: Rows) -> Floats:
        """Return the rows, used or not, that an operation puts out."""
        return self._program.rows_view(rows.index)

    def read_quantized(self, rows: QuantizedRows) -> tuple[np.ndarray, Floats]:
        """Return the int8 values and the scales that an operation puts out."""
        q, scales, _ = self._program.quantized_views(rows.index)
        return q, scales

    def embed(self, table: Table) -> Rows:
        """See ``Program``."""
        out = self._rows("embed", table.shape[1])
        self._weights.append(table)
        self._program.embed(table, out.index)
        return out

    def rms_norm_quantize(self, x: Rows, weight: Floats, eps: float) -> QuantizedRows:
        """See ``Program``."""
        out = self._quantized_rows("rms_norm", x.width)
        self._program.rms_norm_quantize(x.index, weight, eps, out.index)
        return out

    def ternary_matmul(self, x: QuantizedRows, weight: PackedTernary) -> Rows:
        """See ``Program``."""
        out = self._rows("ternary_matmul", weight.out_features)
        self._record_matmul(x, weight, out, accumulate=False)
        return out

    def ternary_matmul_add(self, x: QuantizedRows, weight: PackedTernary, total: Rows) -> None:
        """See ``Program``."""
        self._record_matmul(x, weight, total, accumulate=True)

    def gated_matmul(self, x: QuantizedRows, gate: PackedTernary, up: PackedTernary) -> Rows:
        """See ``Program``."""
        out = self._rows("gated_matmul", gate.out_features)
        self._weights += [gate.codes, up.codes]
        self._program.gated_matmul(
            x.index,
            gate.codes,
            gate.row_scales,
            up.codes,
            up.row_scales,
            gate.in_features,
            out.index,
        )
        return out

    def rotate_and_store(self, qkv: Rows, layer: int) -> None:
        """See ``Program``."""
        self._program.rotate_and_store(qkv.index, layer)

    def attention(self, qkv: Rows, layer: int) -> Rows:
        """See ``Program``."""
        if self._shape is None:
            raise ValueError("attention: the program was made without an attention shape")
        out = self._rows("attention", self._shape.query_size)
        self._program.attention(qkv.index, layer, out.index)
        return out

    def select_rms_norm(self, x: Rows, weight: Floats, eps: float) -> Rows:
        """See ``Program``."""
        out = self._rows("select_rms_norm", x.width)
        self._program.select_rms_norm(x.index, weight, eps, out.index)
        return out

    def head(self, x: Rows, table: Table) -> Rows:
        """See ``Program``."""
        out = self._rows("head", table.shape[0])
        self._weights.append(table)
        self._program.head(x.index, table, out.index)
        self._logits = self.read(out)
        return out

    def read_probe(self, data: Codes) -> None:
        """Record: read these bytes (uint8, one-dimensional), and do nothing with them."""
        self._weights.append(data)
        self._program.read_probe(data)

    def multiply_add_probe(self, rounds: int) -> int:
        """Record: the ternary product's instructions on registers. Returns the multiply-adds."""
        return self._program.multiply_add_probe(rounds)

    def int8_head(self, x: Rows, int8: Int8Table, table: Table) -> Rows:
        """See ``Program``."""
        out = self._rows("head", table.shape[0])
        parts = (int8.codes, int8.scales, int8.sums, int8.residual_norms, int8.norms)
        self._weights += [*parts, table]
        self._program.int8_head(x.index, *parts, table, out.index)
        self._logits = self.read(out)
        return out

    def run(self, step: Step) -> Floats:
        """See ``Program``."""
        self._program.run(
            step.token_ids,
            step.positions,
            step.slots,
            step.block_tables,
            step.query_starts,
            step.logit_rows,
        )
        if self._logits is None:
            return np.empty((0, 0), np.float32)
        return self._logits[: len(step.logit_rows)]

    def sample(self, logits: Floats, sampling: Sampling) -> tuple[Ints, Floats]:
        """See ``Program``."""
        tokens, logprobs = np.empty(len(logits), np.int32), np.empty(len(logits), np.float32)
        self._program.sample(
            logits,
            sampling.temperature,
            sampling.top_k,
            sampling.top_p,
            sampling.min_p,
            sampling.uniform,
            tokens,
            logprobs,
        )
        return tokens, logprobs

    def logprobs(self, logits: Floats, token_ids: Ints, num_top: int) -> Logprobs:
        """See ``Program``."""
        shape = (len(logits), num_top)
        result = Logprobs(
            np.empty(len(logits), np.float32),
            np.empty(shape, np.int32),
            np.empty(shape, np.float32),
        )
        self._program.logprobs(
            logits, token_ids, result.of_tokens, result.top_token_ids, result.top_logprobs
        )
        return result

    def _record_matmul(
        self, x: QuantizedRows, weight: PackedTernary, out: Rows, *, accumulate: bool
    ) -> None:
        self._weights.append(weight.codes)
        self._program.ternary_matmul(
            x.index, weight.codes, weight.row_scales, weight.in_features, out.index, accumulate
        )

    def _rows(self, kind: str, width: int) -> Rows:
        if (kind, width) not in self._buffers:
            self._buffers[kind, width] = self._program.add_rows(width)
        return Rows(self._buffers[kind, width], width)

    def _quantized_rows(self, kind: str, width: int) -> QuantizedRows:
        if (kind, width) not in self._buffers:
            self._buffers[kind, width] = self._program.add_quantized_rows(width)
        return QuantizedRows(self._buffers[kind, width], width)
