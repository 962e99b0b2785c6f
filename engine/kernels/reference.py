"""The meaning of every operation, in torch, on any device. Not fast: the sibling to test against.

Letters: T tokens, K inputs, N outputs, H query heads, G KV heads, D head size, F feed-forward.
Formulas follow "The Era of 1-bit LLMs" (arXiv 2402.17764) and the BitNet b1.58 2B4T report
(arXiv 2504.12285), as transformers implements them.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sterna.engine.kernels.int8_table import Int8Table
from sterna.engine.kernels.packing import PackedTernary, unpack_ternary
from sterna.engine.kernels.step import BANNED


def as_tensor(array: NDArray[np.generic]) -> Tensor:
    """Return an array's values; uint16 holds bfloat16. Copies what cannot be written to.

    Weights are mapped read-only, and torch has no tensors that are.
    """
    array = array if array.flags.writeable else array.copy()
    if array.dtype == np.uint16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Return ``weight * x / rms(x)``; x [T, K] float32. The mean of squares is taken in double."""
    mean = x.double().pow(2).mean(-1, keepdim=True).float()
    return weight * (x * torch.rsqrt(mean + eps))


def quantize(x: Tensor) -> tuple[Tensor, Tensor]:
    """Round each row to int8 by its largest magnitude, half to even: absmax quantisation.

    x: [T, K] float32. Returns q int8 [T, K] and scales float32 [T], with ``x ~ q * scale``.
    """
    absmax = x.abs().amax(-1, keepdim=True).clamp(min=1e-5)
    q = (x * (127.0 / absmax)).round().clamp(-128, 127)
    return q.to(torch.int8), (absmax / 127.0).squeeze(-1)


def ternary_matmul(q: Tensor, scales: Tensor, weight: PackedTernary) -> Tensor:
    """Return ``(q @ W.T) * scales * row_scales`` [T, N] float32.

    The products are exact: doubles hold every integer below 2^53.
    """
    w = as_tensor(unpack_ternary(weight.codes, weight.out_features, weight.in_features))
    sums = (q.double() @ w.to(q.device).double().T).float()
    return sums * (scales[:, None] * as_tensor(weight.row_scales).to(q.device))


def gated_matmul(q: Tensor, scales: Tensor, gate: PackedTernary, up: PackedTernary) -> Tensor:
    """Return ``relu(x @ gate.T)^2 * (x @ up.T)`` [T, N] float32, with ``x ~ q * scale``."""
    positive = ternary_matmul(q, scales, gate).clamp(min=0)
    return positive * positive * ternary_matmul(q, scales, up)


def as_cached(x: Tensor, kv_dtype: str) -> Tensor:
    """Return keys or values [T, G, D] as a cache of this type gives them back, float32.

    int8 is rounded by the largest magnitude of each token and head.
    """
    if kv_dtype == "float32":
        return x
    if kv_dtype == "float16":
        return x.half().float()
    scale = x.abs().amax(-1, keepdim=True).clamp(min=1e-30)
    return (x * (127.0 / scale)).round() * (scale / 127.0)


def int8_logits(x: Tensor, int8: Int8Table, table: Tensor) -> Tensor:
    """Return logits [S, V]: int8 weights times x in two digits, the best candidates exactly.

    x: [S, K]. A row is a candidate unless its logit plus its bound is below another's logit less
    that one's bound; see csrc/ops/int8_head.cpp.
    """
    steps = 127 * 128 + 63
    absmax = x.abs().amax(-1, keepdim=True).clamp(min=1e-30)
    digits = (x * (steps / absmax)).round()
    weights = as_tensor(int8.unpack(x.shape[-1])).to(x.device)
    sums = digits.double() @ weights.double().T
    scales, residuals, norms = (
        as_tensor(part).to(x.device) for part in (int8.scales, int8.residual_norms, int8.norms)
    )
    logits = (sums * (absmax / steps).double() * scales.double()).float()
    error = (x - digits * (absmax / steps)).norm(dim=-1, keepdim=True)
    norm = x.norm(dim=-1, keepdim=True)
    rounding = (x.shape[-1] + 16) * 2.0**-23
    bounds = residuals * norm * (1 + rounding) + norms * (error + norm * rounding)
    candidates = logits + bounds >= (logits - bounds).amax(-1, keepdim=True)
    return torch.where(candidates, x @ table.float().T, logits)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate pairs (i, i + D/2) of each head. x: [T, heads, D]; cos, sin: [T, D/2]."""
    low, high = x.chunk(2, dim=-1)
    cos, sin = cos[:, None], sin[:, None]
    return torch.cat([low * cos - high * sin, high * cos + low * sin], dim=-1)


def attention(queries: Tensor, keys: Tensor, values: Tensor, positions: Tensor) -> Tensor:
    """Attend causally within one request.

    queries: [T, H, D], already scaled; keys, values: [L, G, D]; positions: [T], a query sees the
    keys 0 .. position. Returns [T, H, D].
    """
    group = queries.shape[1] // keys.shape[1]
    keys, values = (kv.repeat_interleave(group, dim=1) for kv in (keys, values))
    scores = torch.einsum("thd,lhd->htl", queries, keys)
    ahead = torch.arange(keys.shape[0], device=keys.device) > positions[:, None]
    weights = scores.masked_fill(ahead, -torch.inf).softmax(-1)
    return torch.einsum("htl,lhd->thd", weights, values)


def sample(
    logits: Tensor, temperature: float, top_k: int, top_p: float, min_p: float, uniform: float
) -> tuple[int, float]:
    """Draw a token from logits [V]; see ``Sampling``. Returns its id and log-probability."""
    if not torch.isfinite(logits).all() or logits.max() == BANNED:
        return -1, float("nan")
    logits = logits.double()
    token = (
        _draw(logits, temperature, top_k, top_p, min_p, uniform)
        if temperature > 0
        else int(logits.argmax())
    )
    return token, float(logits.log_softmax(-1)[token])


def logprobs(logits: Tensor, token_id: int, num_top: int) -> tuple[float, list[int], list[float]]:
    """Return the token's log-probability, and ids and log-probabilities of the likeliest.

    logits: [V]. All are NaN, and the ids -1, where the logits are not all finite, or end.
    """
    nan = float("nan")
    if not torch.isfinite(logits).all():
        return nan, [-1] * num_top, [nan] * num_top
    values = logits.double().log_softmax(-1)
    top = torch.sort(logits, descending=True, stable=True).indices[:num_top].tolist()
    missing = num_top - len(top)
    top_values = [float(values[i]) for i in top]
    return float(values[token_id]), top + [-1] * missing, top_values + [nan] * missing


def _draw(
    logits: Tensor, temperature: float, top_k: int, top_p: float, min_p: float, uniform: float
) -> int:
    ranked, order = torch.sort(logits, descending=True, stable=True)
    weights = ((ranked - ranked[0]) / temperature).exp()
    kept = ranked >= ranked[0] + temperature * torch.tensor(min_p, dtype=torch.float64).log()
    kept &= ranked > BANNED
    if top_k:
        kept[top_k:] = False
    weights = weights * kept
    before = weights.cumsum(0) - weights
    weights = weights * (before < top_p * weights.sum()) if top_p < 1 else weights
    by_id = torch.zeros_like(weights).scatter(0, order, weights)
    sums = by_id.cumsum(0)
    passed = sums > uniform * sums[-1]  # some do, as uniform < 1: never a token of weight 0
    return int(passed.int().argmax())
