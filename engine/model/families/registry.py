"""The families that are served. A new one is a file beside this, and a line here."""

from typing import Final

from sterna.engine.model.config import ModelConfig
from sterna.engine.model.families.bitnet import BitNet
from sterna.engine.model.family import Family
from sterna.engine.model.sources.json_object import JsonObject
from sterna.engine.model.sources.source import Source
from sterna.engine.model.tensors import ModelTensors

FAMILIES: Final[tuple[Family, ...]] = (BitNet(),)

_NOT_SERVED: Final = {
    "BitnetForCausalLM": "the 1bitLLM family is a different network, with SiLU and other norms",
    "LlamaForCausalLM": "a ternary Llama is a different network, with SiLU and without sub-norms",
}


def family_of(config: ModelConfig) -> Family:
    """Return the family that a configuration names."""
    return next(family for family in FAMILIES if family.name == config.family)


def model_tensors(config: ModelConfig) -> ModelTensors:
    """Return the list of tensors of a configuration's family."""
    return family_of(config).tensors(config)


def read_config(source: Source) -> ModelConfig:
    """Read a source's configuration, as its family understands it. Raises CheckpointError."""
    config = source.config()
    return _find(config).read_config(config, source.generation_config())


def _find(config: JsonObject) -> Family:
    names = config.strings("architectures") or []
    for family in FAMILIES:
        if set(family.architectures) & set(names):
            return family
    served = ", ".join(f'["{name}"]' for family in FAMILIES for name in family.architectures)
    hints = "".join(f" ({_NOT_SERVED[name]})" for name in names if name in _NOT_SERVED)
    raise config.error("architectures", f"{served}{hints}")
