"""The shape and the constants of a network, in our own words, whatever its file called them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RopeScaling:
    """How rotary frequencies are scaled: a type, and what it needs, in the words of config.json."""

    type: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """What a network is made of.

    family: a name of ``families/registry``. mlp_size: width of the feed-forward part. head_size:
    of queries, keys and values; the heads together need not be as wide as hidden_size.
    eos_token_ids: of all files that state some; may be empty. activation_group: inputs of a ternary
    matrix that share a scale; None: all of a row, as a model trained with int8 activations has it.
    ternary_embedding, ternary_head: whether these are ternary, too, with scales for such groups.
    """

    family: str
    vocab_size: int
    hidden_size: int
    mlp_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_size: int
    rope_theta: float
    norm_eps: float
    max_context_tokens: int
    eos_token_ids: frozenset[int]
    bos_token_id: int | None
    tie_embeddings: bool
    rope_scaling: RopeScaling | None = None
    activation_group: int | None = None
    ternary_embedding: bool = False
    ternary_head: bool = False

    @property
    def query_size(self) -> int:
        """Width of all query heads together: what attention puts out."""
        return self.num_heads * self.head_size

    @property
    def kv_size(self) -> int:
        """Width of all key heads together, and of all value heads."""
        return self.num_kv_heads * self.head_size
