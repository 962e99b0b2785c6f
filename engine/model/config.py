"""The shape and the constants of a network, in our own words, whatever its file called them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """What a network is made of.

    family: a name of ``families/registry``. mlp_size: width of the feed-forward part. head_size:
    of queries, keys and values; the heads together need not be as wide as hidden_size.
    eos_token_ids: of all files that state some; may be empty.
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

    @property
    def query_size(self) -> int:
        """Width of all query heads together: what attention puts out."""
        return self.num_heads * self.head_size

    @property
    def kv_size(self) -> int:
        """Width of all key heads together, and of all value heads."""
        return self.num_kv_heads * self.head_size
