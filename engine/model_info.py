"""The model that is served, as far as callers need to know it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The model, as far as a caller needs to know it."""

    vocab_size: int
    max_context_tokens: int  # prompt + output that one request may have, as served here
    eos_token_ids: frozenset[int]
    num_parameters: int
