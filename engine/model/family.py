"""What a family of models has to state: one file each in ``families/``."""

from typing import Any, Protocol

from sterna.engine.config import HeadType
from sterna.engine.kernels import Program
from sterna.engine.model.config import ModelConfig
from sterna.engine.model.sources.json_object import JsonObject
from sterna.engine.model.tensors import ModelTensors
from sterna.engine.model.weights import ModelWeights


class Family(Protocol):
    """A network: how its configuration is read, which tensors it has, and what it computes."""

    @property
    def name(self) -> str:
        """Its name here."""

    @property
    def architectures(self) -> tuple[str, ...]:
        """Its names in config.json."""

    def read_config(self, config: JsonObject, generation: JsonObject | None) -> ModelConfig:
        """Read config.json, and generation_config.json where there is one.

        Keys that change the output and are not served are refused; others are ignored. Raises
        CheckpointError.
        """

    def to_json(self, config: ModelConfig) -> dict[str, Any]:
        """Return a config.json that ``read_config`` reads as this configuration."""

    def tensors(self, config: ModelConfig) -> ModelTensors:
        """List all tensors, with the names that they have in a checkpoint."""

    def record(self, program: Program, weights: ModelWeights, head: HeadType) -> None:
        """Record the whole network, from token ids to logits."""
