"""Energy of the arithmetic alone, by the model of the BitNet papers; not measured.

Picojoules of single operations in silicon, times their number: no memory traffic, no control, no
static power. Real machines take a hundred to a thousand times as much; ``docs/energy.md`` says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from sterna.engine.energy.operations import Operations

Node = Literal["45nm", "7nm"]
NODES: Final[tuple[Node, ...]] = ("45nm", "7nm")


@dataclass(frozen=True, slots=True)
class OperationEnergy:
    """Picojoules of one addition or multiplication (Horowitz 2014; Zhang et al. 2022)."""

    add_fp16: float
    mul_fp16: float
    add_int8: float
    mul_int8: float


ENERGIES: Final[Mapping[Node, OperationEnergy]] = {
    "45nm": OperationEnergy(add_fp16=0.4, mul_fp16=1.1, add_int8=0.03, mul_int8=0.2),
    "7nm": OperationEnergy(add_fp16=0.16, mul_fp16=0.34, add_int8=0.007, mul_int8=0.07),
}


@dataclass(frozen=True, slots=True)
class PartJoules:
    """Joules by part of the network."""

    linear: float
    head: float
    attention: float


class ArithmeticModel:
    """Turns operations into joules. head_is_int8: of the served head; else it is in bf16."""

    def __init__(self, node: Node = "7nm", *, head_is_int8: bool = True) -> None:
        energy = ENERGIES[node]
        self._fp16 = energy.add_fp16 + energy.mul_fp16
        self._head = energy.add_int8 + energy.mul_int8 if head_is_int8 else self._fp16
        self._ternary = energy.add_int8

    def ternary(self, operations: Operations) -> PartJoules:
        """As they are served: a ternary weight takes an int8 addition, and no multiplication."""
        return self._joules(operations, self._ternary, self._head)

    def fp16(self, operations: Operations) -> PartJoules:
        """As many operations of a network in FP16: a multiplication and an addition each."""
        return self._joules(operations, self._fp16, self._fp16)

    def _joules(self, operations: Operations, linear_pj: float, head_pj: float) -> PartJoules:
        return PartJoules(
            linear=operations.linear * linear_pj * 1e-12,
            head=operations.head * head_pj * 1e-12,
            attention=operations.attention * self._fp16 * 1e-12,  # of float keys and values
        )
