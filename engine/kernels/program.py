"""The interface of a backend: a network as a list of operations, recorded once, run every step.

The network (``engine.model.families``) calls the operations once, at load; ``run`` then replays
them. ``reference`` replays torch functions, ``native`` replays C++ without touching Python, so that
nothing but arithmetic happens between the first and the last matrix of a step.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from sterna.engine.kernels.arrays import Floats, Ints, Table
from sterna.engine.kernels.int8_table import Int8Table
from sterna.engine.kernels.packing import PackedTernary
from sterna.engine.kernels.step import Logprobs, Sampling, Step

KVDtype = Literal["float16", "float32", "int8"]


@dataclass(frozen=True, slots=True)
class Rows:
    """Handle of float32 activations, one row a token.

    An operation's output is valid until the next output of the same operation and width.
    """

    index: int
    width: int


@dataclass(frozen=True, slots=True)
class QuantizedRows:
    """Handle of int8 activations with one scale a row: ``x ~ q * scale``. Valid as Rows are."""

    index: int
    width: int


@dataclass(frozen=True, slots=True)
class AttentionShape:
    """What attention needs to know before it is recorded.

    cos, sin: float32 [positions, head_size / 2], the rotary tables. kv_dtype: what the cache
    holds; int8 has a scale for each token and head.
    """

    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_size: int
    num_blocks: int  # of CACHE_TOKENS tokens, in each layer's cache
    cos: Floats
    sin: Floats
    kv_dtype: KVDtype = "float16"

    @property
    def query_size(self) -> int:
        """Width of all query heads."""
        return self.num_heads * self.head_size

    @property
    def qkv_size(self) -> int:
        """Width of all query, key and value heads."""
        return (self.num_heads + 2 * self.num_kv_heads) * self.head_size


class Program(Protocol):
    """Operations to record, in order of execution; ``run`` them, and ``sample`` what comes out.

    T, S, K and so on are as in ``Step``. Weights are kept by reference.
    """

    def embed(self, table: Table) -> Rows:
        """Record: rows of the table [V, K] (bfloat16 or float32) by token id, [T, K]."""

    def rms_norm_quantize(self, x: Rows, weight: Floats, eps: float) -> QuantizedRows:
        """Record: ``weight * x / rms(x)``, rounded to int8 by each row's largest magnitude."""

    def ternary_matmul(self, x: QuantizedRows, weight: PackedTernary) -> Rows:
        """Record: ``x @ W.T`` [T, N]; the sum of the integer products is exact."""

    def ternary_matmul_add(self, x: QuantizedRows, weight: PackedTernary, total: Rows) -> None:
        """Record: the same, added to ``total`` in place."""

    def gated_matmul(self, x: QuantizedRows, gate: PackedTernary, up: PackedTernary) -> Rows:
        """Record: ``relu(x @ gate.T)^2 * (x @ up.T)`` [T, N]; both products as above."""

    def rotate_and_store(self, qkv: Rows, layer: int) -> None:
        """Record: rotary positions on queries (in place) and keys; keys and values are stored.

        qkv: [T, (H + 2 G) D], heads of queries, keys, values. Queries end up scaled by
        1 / sqrt(D); keys and values go to the layer's cache slots in the cache's type.
        """

    def attention(self, qkv: Rows, layer: int) -> Rows:
        """Record: causal attention over the layer's cached keys and values, [T, H D]."""

    def select_rms_norm(self, x: Rows, weight: Floats, eps: float) -> Rows:
        """Record: the norm of the rows ``logit_rows`` alone, [S, K]."""

    def head(self, x: Rows, table: Table) -> Rows:
        """Record: ``x @ table.T`` [S, V] in float32; the logits that ``run`` returns."""

    def int8_head(self, x: Rows, int8: Int8Table, table: Table) -> Rows:
        """Record: logits [S, V] from the int8 table, the best candidates from the plain one.

        The most likely token and its logit are those of ``head`` to the last bit; other logits
        are off by less than the bound that ``Int8Table`` explains.
        """

    def run(self, step: Step) -> Floats:
        """Run all operations. Returns the logits [S, V], a view valid until the next run.

        Raises ValueError, with nothing changed, if an index of the step is out of range.
        """

    def sample(self, logits: Floats, sampling: Sampling) -> tuple[Ints, Floats]:
        """Draw a token from each row of logits [S, V].

        Returns token ids [S], and their natural log-probabilities [S] before temperature and
        filters. The id is -1 where the logits are not all finite, or are all BANNED.
        """

    def logprobs(self, logits: Floats, token_ids: Ints, num_top: int) -> Logprobs:
        """Tell the log-probability of one token for each row of logits [S, V], and the likeliest.

        That of the token that ``sample`` draws is the same to the last bit. Equal logits rank by
        token id, low first.
        """

    @property
    def isa(self) -> str:
        """The instruction set in use."""

    @property
    def num_threads(self) -> int:
        """Threads that compute."""

    @property
    def kv_cache_bytes(self) -> int:
        """Bytes of the KV cache when it is full; memory is committed as it fills."""

    @property
    def scratch_bytes(self) -> int | None:
        """Bytes of the activations of the largest step; None: not known."""

    @property
    def num_held_up(self) -> int:
        """Steps held up by a thread that the system did not let run."""

    @property
    def seconds(self) -> Mapping[str, float]:
        """Seconds spent in each kind of operation since the start."""
