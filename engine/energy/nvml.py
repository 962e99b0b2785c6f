"""NVML: energy counters of Nvidia's GPUs (Volta or newer), through the package nvidia-ml-py.

The engine computes on the CPU, so this says what the machine's GPUs take beside it. Never run on
real hardware by us.
"""

import importlib
from collections.abc import Mapping
from typing import Any, Final

from sterna.engine.energy.source import Scope, SourceError

PACKAGE: Final = "nvidia-ml-py"


class NvmlSource:
    """Reads all GPUs. ``nvml``: the module, imported when it is first needed."""

    name: Final = "nvml"
    scope: Final[Scope] = "host"
    detail: Final = "energy counters of all Nvidia GPUs"

    def __init__(self, nvml: Any = None) -> None:  # noqa: ANN401 (a module without types)
        self._nvml = nvml
        self._devices: list[Any] = []

    def read(self) -> Mapping[str, float]:
        """See ``Source``; since the driver was loaded."""
        if self._nvml is None:
            self._nvml = _import()
        try:
            if not self._devices:
                self._devices = self._open()
            millijoules = map(self._nvml.nvmlDeviceGetTotalEnergyConsumption, self._devices)
            return {"gpu": sum(millijoules) / 1e3}
        except self._nvml.NVMLError as error:
            self._devices = []
            raise SourceError(f"NVML: {error}") from None

    def _open(self) -> list[Any]:
        self._nvml.nvmlInit()
        count = self._nvml.nvmlDeviceGetCount()
        if not count:
            raise SourceError("NVML: no GPU")
        return [self._nvml.nvmlDeviceGetHandleByIndex(index) for index in range(count)]


def _import() -> Any:  # noqa: ANN401
    try:
        return importlib.import_module("pynvml")
    except ImportError:
        raise SourceError(f"the package {PACKAGE} is not installed") from None
