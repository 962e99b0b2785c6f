"""The extension module built from csrc; see csrc/program.h for what each method does."""

import numpy as np
from numpy.typing import NDArray

from sterna.engine.kernels.arrays import Codes, Floats, Table

CACHE_TOKENS: int

def supported_isas() -> list[str]: ...

class Program:
    def __init__(self, isa: str, num_threads: int, max_tokens: int, max_logits: int) -> None: ...
    @property
    def isa(self) -> str: ...
    @property
    def num_threads(self) -> int: ...
    @property
    def kv_cache_bytes(self) -> int: ...
    @property
    def scratch_bytes(self) -> int: ...
    @property
    def seconds(self) -> dict[str, float]: ...
    def add_rows(self, width: int) -> int: ...
    def add_quantized_rows(self, width: int) -> int: ...
    def rows_view(self, index: int) -> NDArray[np.float32]: ...
    def quantized_views(
        self, index: int
    ) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.int32]]: ...
    def set_attention(
        self,
        num_heads: int,
        num_kv_heads: int,
        head_size: int,
        num_layers: int,
        num_blocks: int,
        cache_type: str,
        cos: Floats,
        sin: Floats,
    ) -> None: ...
    def embed(self, table: Table, out: int) -> None: ...
    def rms_norm_quantize(self, x: int, weight: Floats, eps: float, out: int) -> None: ...
    def select_rms_norm(self, x: int, weight: Floats, eps: float, out: int) -> None: ...
    def gated_matmul(
        self,
        x: int,
        gate: Codes,
        gate_scales: NDArray[np.generic],
        up: Codes,
        up_scales: NDArray[np.generic],
        in_features: int,
        out: int,
    ) -> None: ...
    def ternary_matmul(
        self,
        x: int,
        codes: NDArray[np.generic],
        row_scales: NDArray[np.generic],
        in_features: int,
        out: int,
        accumulate: bool,
    ) -> None: ...
    def head(self, x: int, table: Table, logits: int) -> None: ...
    def int8_head(
        self,
        x: int,
        codes: NDArray[np.generic],
        scales: NDArray[np.generic],
        sums: NDArray[np.generic],
        residual_norms: NDArray[np.generic],
        norms: NDArray[np.generic],
        table: Table,
        logits: int,
    ) -> None: ...
    def rotate_and_store(self, qkv: int, layer: int) -> None: ...
    def attention(self, qkv: int, layer: int, out: int) -> None: ...
    def read_probe(self, data: Codes) -> None: ...
    def multiply_add_probe(self, rounds: int) -> int: ...
    def run(
        self,
        token_ids: NDArray[np.int32],
        positions: NDArray[np.int32],
        slots: NDArray[np.int32],
        block_tables: NDArray[np.int32],
        query_starts: NDArray[np.int32],
        logit_rows: NDArray[np.int32],
    ) -> None: ...
    def sample(
        self,
        logits: NDArray[np.float32],
        temperature: NDArray[np.float32],
        top_k: NDArray[np.int32],
        top_p: NDArray[np.float32],
        min_p: NDArray[np.float32],
        uniform: NDArray[np.float64],
        tokens: NDArray[np.int32],
        logprobs: NDArray[np.float32],
    ) -> None: ...
    def logprobs(
        self,
        logits: NDArray[np.float32],
        tokens: NDArray[np.int32],
        logprobs: NDArray[np.float32],
        top_tokens: NDArray[np.int32],
        top_logprobs: NDArray[np.float32],
    ) -> None: ...
