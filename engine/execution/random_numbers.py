"""Sampling parameters and random numbers of a batch, as the kernels take them."""

from collections.abc import Sequence

import numpy as np

from sterna.engine.kernels import Sampling
from sterna.engine.requests.request import Request

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15  # 2**64 / golden ratio: the step of SplitMix64


def build_sampling(requests: Sequence[Request]) -> Sampling:
    """Describe how to choose the next token of each of S requests."""
    params = [request.params for request in requests]
    return Sampling(
        temperature=np.array([p.temperature for p in params], np.float32),
        top_k=np.array([p.top_k for p in params], np.int32),
        top_p=np.array([p.top_p for p in params], np.float32),
        min_p=np.array([p.min_p for p in params], np.float32),
        uniform=np.array([_uniform_of(request) for request in requests], np.float64),
    )


def _uniform_of(request: Request) -> float:
    if request.params.temperature == 0.0:
        return 0.0  # nothing is drawn
    return uniform(request.seed, request.num_output_tokens)


def uniform(seed: int, index: int) -> float:
    """Return the random number in [0, 1) behind a request's output token ``index``.

    It depends on nothing else, so neither the batch nor a preemption changes what is sampled.
    """
    return (_mix(_mix(seed) + index * _GOLDEN) >> 11) / 2**53


def _mix(value: int) -> int:
    """Scramble 64 bits (the output function of SplitMix64, Steele et al. 2014)."""
    value = (value + _GOLDEN) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)
