"""Qwen3 with ternary layers: Ternary-Bonsai 1.7B, 4B and 8B.

As ``llama``, with a norm of each query and key head before it is rotated.
"""

from sterna.engine.model.families.llama import Llama


class Qwen3(Llama):
    """See ``Family``."""

    name = "qwen3"
    architectures = ("Qwen3ForCausalLM", "qwen3")
    model_type = "qwen3"
    has_head_norms = True
