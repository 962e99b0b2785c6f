"""The machine's limits, probed with the kernels' own threads and instruction set.

A shared host changes its speed within seconds: take a probe next to each measurement, compare the
two, and only then take the median.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from sterna.engine.kernels import NativeProgram, Step

_ROUNDS: Final = 30_000  # of multiply-adds: some milliseconds
_PROBE_BYTES: Final = 512 << 20  # far more than any cache holds


@dataclass(frozen=True, slots=True)
class Limits:
    """What the machine can do: bytes read, and int8 multiply-adds, in a second."""

    bytes_per_second: float
    macs_per_second: float


class LimitProbe:
    """Measures the limits with a given instruction set and number of threads."""

    def __init__(self, isa: str, num_threads: int) -> None:
        self._program = NativeProgram(num_threads=num_threads, isa=isa)
        data = np.full(_PROBE_BYTES, 0x55, np.uint8)
        self._num_bytes = data.nbytes
        self._program.read_probe(data)
        self._num_macs = self._program.multiply_add_probe(_ROUNDS if isa != "scalar" else 1000)

    def measure(self) -> Limits:
        """Read once through memory, and multiply and add for a moment."""
        before = self._program.seconds
        self._program.run(_EMPTY_STEP)
        after = self._program.seconds
        seconds = {kind: after[kind] - before.get(kind, 0.0) for kind in after}
        return Limits(
            self._num_bytes / seconds["read_probe"], self._num_macs / seconds["multiply_add_probe"]
        )


_NOTHING: Final = np.zeros(0, np.int32)
_EMPTY_STEP: Final = Step(
    token_ids=_NOTHING,
    positions=_NOTHING,
    slots=_NOTHING,
    block_tables=np.zeros((0, 0), np.int32),
    query_starts=np.zeros(1, np.int32),
    logit_rows=_NOTHING,
)
