"""Scaled rotary frequencies, as ``rope_parameters`` of config.json states them, one type each.

A type turns the plain frequencies of a head into scaled ones, and may scale queries and keys with
them (``magnitude``). Formulas as transformers has them.
"""

from collections.abc import Callable, Mapping
from math import ceil, floor, log, pi
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sterna.engine.model.config import RopeScaling
from sterna.engine.model.sources.json_object import JsonObject

Frequencies = NDArray[np.float64]
"""Of each pair of a head, float64 [D / 2]."""


def read_rope_scaling(rope: JsonObject) -> RopeScaling | None:
    """Read what ``rope_parameters`` says; None: frequencies are as they are.

    Raises CheckpointError for a type that is not served, and for parameters that make no sense.
    """
    for key in ("rope_type", "type"):
        rope.choice(key, tuple(_TYPES)[:-1], default="default")
    name = rope.fields.get("rope_type") or rope.fields.get("type") or "default"
    if "divisors" in rope.fields:
        name = "divisors"
    needed = _TYPES[name].parameters
    parameters: dict[str, Any] = {key: rope.positive_number(key) for key in needed}
    for key in _TYPES[name].optional:
        if rope.has(key):
            parameters[key] = rope.positive_number(key)
    if name == "divisors":
        parameters["divisors"] = tuple(rope.fields["divisors"])
    return RopeScaling(name, parameters) if name != "default" else None


def scale_frequencies(
    plain: Frequencies, theta: float, scaling: RopeScaling | None
) -> tuple[Frequencies, float]:
    """Return scaled frequencies, and the factor of queries and keys."""
    if scaling is None:
        return plain, 1.0
    return _TYPES[scaling.type].scale(plain, theta, scaling.parameters)


Scaled = tuple[Frequencies, float]


class _Type:
    def __init__(
        self,
        scale: Callable[[Frequencies, float, Mapping[str, Any]], Scaled],
        parameters: tuple[str, ...] = (),
        optional: tuple[str, ...] = (),
    ) -> None:
        self.scale, self.parameters, self.optional = scale, parameters, optional


def _default(plain: Frequencies, theta: float, p: Mapping[str, Any]) -> Scaled:
    return plain, 1.0


def _linear(plain: Frequencies, theta: float, p: Mapping[str, Any]) -> Scaled:
    return plain / p["factor"], 1.0


def _divisors(plain: Frequencies, theta: float, p: Mapping[str, Any]) -> Scaled:
    """As GGUF files store the result of ``llama3``."""
    return plain / np.array(p["divisors"]), 1.0


def _llama3(plain: Frequencies, theta: float, p: Mapping[str, Any]) -> Scaled:
    """Long waves are divided by the factor, short ones stay, and those between are mixed."""
    original = p["original_max_position_embeddings"]
    low, high = p["low_freq_factor"], p["high_freq_factor"]
    smooth = np.clip((original * plain / (2 * pi) - low) / (high - low), 0, 1)
    return (1 - smooth) * plain / p["factor"] + smooth * plain, 1.0


def _yarn(plain: Frequencies, theta: float, p: Mapping[str, Any]) -> Scaled:
    """YaRN (arXiv 2309.00071): a ramp over the pairs, and a magnitude for every prompt."""
    head_size, factor = 2 * len(plain), p["factor"]

    def pair_of(rotations: float) -> float:
        length = p["original_max_position_embeddings"]
        return head_size * log(length / (2 * pi * rotations)) / (2 * log(theta))

    low = max(floor(pair_of(p.get("beta_fast", 32.0))), 0)
    high = min(ceil(pair_of(p.get("beta_slow", 1.0))), head_size - 1)
    ramp = np.clip((np.arange(len(plain)) - low) / max(high - low, 0.001), 0, 1)
    magnitude = p.get("attention_factor", 0.1 * log(factor) + 1 if factor > 1 else 1.0)
    return plain * (1 - ramp) + plain / factor * ramp, magnitude * p.get("attention_scale", 1.0)


_LENGTHS: Final = ("factor", "original_max_position_embeddings")
_TYPES: Final = {
    "default": _Type(_default),
    "linear": _Type(_linear, ("factor",)),
    "llama3": _Type(_llama3, (*_LENGTHS, "low_freq_factor", "high_freq_factor")),
    "yarn": _Type(
        _yarn, _LENGTHS, ("beta_fast", "beta_slow", "attention_factor", "attention_scale")
    ),
    "divisors": _Type(_divisors),  # last: a GGUF file alone can say so
}
