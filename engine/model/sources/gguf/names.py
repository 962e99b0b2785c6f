"""What GGUF files call the tensors that a family's list names as transformers does."""

import re
from typing import Final

_MODULES: Final = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "self_attn.attn_sub_norm": "attn_sub_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "mlp.ffn_sub_norm": "ffn_sub_norm",
}
_LAYER: Final = re.compile(r"model\.layers\.(\d+)\.(.+)")


def gguf_name(tensor: str) -> str:
    """Return the file's name of a tensor: ``blk.3.attn_q.weight`` of layer 3's q_proj."""
    module, _, kind = tensor.rpartition(".")
    if found := _LAYER.fullmatch(module):
        return f"blk.{found[1]}.{_MODULES[found[2]]}.{kind}"
    return f"{_MODULES[module]}.{kind}"
