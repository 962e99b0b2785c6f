"""NVML with a stand-in for its module: no GPU was at hand."""

from types import SimpleNamespace
from typing import Any

import pytest

from sterna.engine.energy import nvml
from sterna.engine.energy.nvml import NvmlSource
from sterna.engine.energy.source import SourceError


class NVMLError(Exception):
    pass


def fake_nvml(*millijoules: int) -> Any:
    """A driver with so many GPUs."""
    return SimpleNamespace(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: len(millijoules),
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetTotalEnergyConsumption=lambda index: millijoules[index],
    )


def test_all_gpus_are_added_up() -> None:
    assert NvmlSource(fake_nvml(1500, 500)).read() == {"gpu": 2.0}


def test_a_machine_without_gpu_is_told() -> None:
    with pytest.raises(SourceError, match="no GPU"):
        NvmlSource(fake_nvml()).read()


def test_an_error_of_the_driver_is_told() -> None:
    driver = fake_nvml(1)

    def fail(index: int) -> int:
        raise NVMLError("Not Supported")

    driver.nvmlDeviceGetTotalEnergyConsumption = fail
    with pytest.raises(SourceError, match="NVML: Not Supported"):
        NvmlSource(driver).read()


def test_without_its_package_it_says_which_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(nvml, "importlib", SimpleNamespace(import_module=fail))
    with pytest.raises(SourceError, match="nvidia-ml-py is not installed"):
        NvmlSource().read()
