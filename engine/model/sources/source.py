"""Where a model comes from: a folder, a file. One file each beside this."""

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sterna.engine.errors import CheckpointError
from sterna.engine.model.sources.json_object import JsonObject
from sterna.engine.model.tensors import ModelTensors, Part

Fingerprint = list[list[str | int]]


class Source(Protocol):
    """The configuration and the tensors of one model.

    Opening one reads no weights. Every method raises CheckpointError, of one line, for what is
    missing, malformed or not served.
    """

    path: Path

    @classmethod
    def opens(cls, path: Path) -> bool:
        """Tell whether a path leads to a source of this kind, by a look at it."""

    def __init__(self, path: Path) -> None: ...

    def config(self) -> JsonObject:
        """Return the configuration, in the words of config.json."""

    def generation_config(self) -> JsonObject | None:
        """Return what the model's makers say of its use, in the words of generation_config.json."""

    def fingerprint(self) -> Fingerprint:
        """Return what changes when the configuration or a weight does, as JSON values."""

    def check(self, tensors: ModelTensors) -> None:
        """Account for all tensors, by headers alone: none missing, unknown or of another shape."""

    def check_values(self, tensors: ModelTensors) -> None:
        """Check what takes reading to know; for once, when the weights are packed."""

    def floats(self, tensor: str) -> NDArray[np.generic]:
        """Return a norm or a table as it is stored: float32, float16, or uint16 for bfloat16.

        It is mapped from the file, and must not be written to.
        """

    def ternary(self, part: Part, inputs: int) -> tuple[NDArray[np.int8], float]:
        """Read a ternary matrix: int8 [outputs, inputs] of -1, 0, 1, and the scale, a factor."""

    def error(self, tensor: str, found: object, expected: object) -> CheckpointError:
        """Return the complaint that a tensor is not what it should be."""
