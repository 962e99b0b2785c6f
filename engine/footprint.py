"""What a loaded engine occupies of the machine."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Footprint:
    """Memory and kernels of the engine. None means unknown."""

    weight_bytes: int  # as served: the ternary matrices packed, embedding, head, norms
    kv_cache_bytes: int
    isa: str  # of the kernels in use
    backend: str
    num_threads: int
    fp16_weight_bytes: int | None = None  # what as many weights of two bytes each would take
    head_bytes: int | None = None  # of the table that every logit is computed from
    scratch_bytes: int | None = None  # of activations, when a step is as large as it may be
    kv_dtype: str | None = None
