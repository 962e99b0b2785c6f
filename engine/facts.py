"""What is known once the engine has loaded, and does not change after."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The model, as far as a caller needs to know it."""

    vocab_size: int
    max_context_tokens: int  # prompt + output that one request may have, as served here
    eos_token_ids: frozenset[int]
    num_parameters: int


@dataclass(frozen=True, slots=True)
class Footprint:
    """What the engine occupies of the machine."""

    weight_bytes: int
    kv_cache_bytes: int
    isa: str  # of the kernels in use
    backend: str
    num_threads: int
