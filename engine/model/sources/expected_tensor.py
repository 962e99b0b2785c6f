"""What a safetensors file may hold under one name."""

from dataclasses import dataclass
from typing import Final

from sterna.engine.model.sources.quantization import WeightForm
from sterna.engine.model.sources.safetensors_file import TensorInfo, described

_ROWS_PER_BYTE: Final = 4  # byte [r, c] holds rows r, r + R, r + 2R, r + 3R of column c
_FLOATS: Final = ("BF16", "F16", "F32")


@dataclass(frozen=True, slots=True)
class ExpectedTensor:
    """Any of some (dtype, shape) pairs."""

    choices: tuple[tuple[str, tuple[int, ...]], ...]

    def allows(self, info: TensorInfo) -> bool:
        """Tell whether the tensor that a file holds is as expected."""
        return (info.type_name, info.shape) in self.choices

    def __str__(self) -> str:
        return " or ".join(described(name, shape) for name, shape in self.choices)


def floats(*shape: int) -> ExpectedTensor:
    """Return floats of any type."""
    return ExpectedTensor(tuple((name, shape) for name in _FLOATS))


def ternary_matrix(form: WeightForm, outputs: int, inputs: int) -> ExpectedTensor:
    """Return what one ternary matrix may be.

    Where the scale multiplies, transformers unpacks on loading, and saves what it unpacked.
    """
    unpacked = floats(outputs, inputs)
    if form is WeightForm.MASTER:
        return unpacked
    packed = (("U8", (-(-outputs // _ROWS_PER_BYTE), inputs)),)
    if form is WeightForm.SCALE_DIVIDES:
        return ExpectedTensor(packed)
    return ExpectedTensor(packed + unpacked.choices)
