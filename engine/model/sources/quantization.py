"""How a checkpoint stores its ternary matrices, from ``quantization_config`` in config.json.

The scale trap: the same tensor name, ``weight_scale``, holds the mean absolute weight in one kind
of checkpoint and its inverse in another. Only ``linear_class`` tells them apart; the magnitude
does not.
"""

from enum import StrEnum
from typing import Final

from sterna.engine.model.sources.json_object import JsonObject

# Modules that are never ternary here, so naming them as not to be converted changes nothing.
_KEPT_IN_FULL: Final = frozenset({"lm_head", "embed_tokens", "model.embed_tokens"})


class WeightForm(StrEnum):
    """What a ternary matrix looks like on disk."""

    MASTER = "master"
    """Floats before rounding; the scale is their mean absolute value."""
    SCALE_MULTIPLIES = "scale multiplies"
    """Ternary with ``weight_scale``: ``y = w . x * weight_scale``."""
    SCALE_DIVIDES = "scale divides"
    """Ternary with ``weight_scale``: ``y = w . x / weight_scale``."""


def read_weight_form(config: JsonObject) -> WeightForm:
    """Return the form that config.json states; without quantization_config it holds masters.

    Raises CheckpointError for a quantisation that the network here would not reproduce.
    """
    quantization = config.object("quantization_config")
    if quantization is None:
        return WeightForm.MASTER
    if quantization.fields.get("quant_method") != "bitnet":
        raise quantization.error("quant_method", '"bitnet"')
    if quantization.boolean("use_rms_norm", default=False):
        raise quantization.error(
            "use_rms_norm", "false: norms inside linear layers are not supported"
        )
    _check_unconverted(quantization)
    linear_class = quantization.choice(
        "linear_class", ("bitlinear", "autobitlinear"), default="bitlinear"
    )
    mode = quantization.choice("quantization_mode", ("offline", "online"), default="offline")
    if linear_class == "bitlinear":  # always packed, whatever the mode
        return WeightForm.SCALE_DIVIDES
    return WeightForm.MASTER if mode == "online" else WeightForm.SCALE_MULTIPLIES


def _check_unconverted(quantization: JsonObject) -> None:
    """Check that the ternary matrices are just those of the layers: not fewer, not the head."""
    names = quantization.strings("modules_to_not_convert")
    if names is not None and not {"lm_head"} <= set(names) <= _KEPT_IN_FULL:
        raise quantization.error("modules_to_not_convert", '["lm_head"] or null')
