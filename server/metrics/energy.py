"""Energy metrics: measured joules by domain and source and, separately, modelled ones."""

from collections.abc import Iterator
from dataclasses import asdict

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sterna.engine import ArithmeticModel, AsyncEngine, EnergyReport


class EnergyCollector(Collector):
    """Exports the meter's report. Nothing measured means no series; the info metric says why."""

    def __init__(self, engine: AsyncEngine, arithmetic: ArithmeticModel) -> None:
        self._energy = engine.energy
        self._arithmetic = arithmetic

    def collect(self) -> Iterator[Metric]:
        """All families of energy."""
        report = self._energy.meter.report()
        if report.domains:
            yield from _measured(report)
        yield _sources(report)
        if operations := self._energy.operations:
            family = CounterMetricFamily(
                "sterna:modelled_arithmetic_joules",
                "Computed, not measured: operations times their energy, as in the BitNet papers.",
                labels=["precision", "part"],
            )
            for precision, model in (
                ("ternary", self._arithmetic.ternary),
                ("fp16", self._arithmetic.fp16),
            ):
                for part, joules in asdict(model(operations)).items():
                    family.add_metric([precision, part], joules)
            yield family


def _measured(report: EnergyReport) -> Iterator[Metric]:
    labels = ["domain", "source"]
    joules = CounterMetricFamily("sterna:energy_joules", "Energy since startup.", labels=labels)
    idle = CounterMetricFamily(
        "sterna:energy_idle_joules", "Measured energy while there was no work.", labels=labels
    )
    watts = GaugeMetricFamily("sterna:power_watts", "Current power.", labels=labels)
    for domain in report.domains:
        values = [domain.domain, domain.source]
        joules.add_metric(values, domain.joules)
        idle.add_metric(values, domain.idle_joules)
        if domain.watts is not None:
            watts.add_metric(values, domain.watts)
    yield from (joules, idle, watts)


def _sources(report: EnergyReport) -> Metric:
    names = ["source", "status", "scope", "detail"]
    family = GaugeMetricFamily(
        "sterna:energy_source_info", "Energy sources, or why they cannot be read.", labels=names
    )
    for source in report.sources:
        family.add_metric([source.source, source.status, source.scope, source.detail], 1)
    return family
