"""Where a model comes from: a folder, a file. One file each beside this."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sterna.engine.errors import CheckpointError
from sterna.engine.kernels import Floats
from sterna.engine.model.sources.json_object import JsonObject
from sterna.engine.model.tensors import ModelTensors, Part

Fingerprint = list[list[str | int]]


@dataclass(frozen=True, slots=True)
class TernaryTensor:
    """A ternary matrix [N, K].

    weights: int8, each -1, 0 or 1. scales: float32 [N, G]; each is a factor of K / G inputs.
    """

    weights: NDArray[np.int8]
    scales: Floats


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

    def maps(self, tensor: str) -> bool:
        """Tell whether ``floats`` gives a tensor as bfloat16 or float32, mapped from the file."""

    def floats(self, tensor: str) -> NDArray[np.generic]:
        """Return a norm or a table as it is stored: float32, float16, or uint16 for bfloat16.

        It is mapped from the file, and must not be written to.
        """

    def ternary(self, part: Part, inputs: int) -> TernaryTensor:
        """Read a ternary matrix [outputs, inputs]."""

    def error(self, tensor: str, found: object, expected: object) -> CheckpointError:
        """Return the complaint that a tensor is not what it should be."""
