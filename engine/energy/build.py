"""From settings to a meter: which sources there are, best first."""

from sterna.engine.config import EngineConfig
from sterna.engine.energy.estimate import EstimateSource
from sterna.engine.energy.meter import EnergyMeter
from sterna.engine.energy.nvml import NvmlSource
from sterna.engine.energy.rapl import RaplSource
from sterna.engine.energy.source import Source
from sterna.engine.energy.zeusd import ZeusdSource


def build_meter(config: EngineConfig) -> EnergyMeter:
    """Return a meter of all that may be readable here; an estimate only where a TDP is given."""
    processor: list[Source] = [RaplSource(config.powercap_dir), ZeusdSource(config.zeusd)]
    if config.tdp_watts is not None:
        processor.append(EstimateSource(config.tdp_watts, config.idle_watts))
    return EnergyMeter(processor, [NvmlSource()], power_seconds=config.energy_period_seconds / 2)
