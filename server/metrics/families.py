"""How families are made: those that vLLM has too have its prefix, and its two labels."""

from collections.abc import Iterable, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

ENGINE = "0"  # vLLM numbers its engines; here there is one


def model_labels(model_name: str) -> dict[str, str]:
    """The labels of every family of vLLM's, with their values."""
    return {"model_name": model_name, "engine": ENGINE}


class Families:
    """Makes vLLM's families that requests report to, and registers them."""

    def __init__(self, registry: CollectorRegistry, model_name: str) -> None:
        self._registry = registry
        self._labels = model_labels(model_name)

    def histogram(self, name: str, text: str, buckets: Sequence[float]) -> Histogram:
        """A histogram; what is above its last bucket is counted too."""
        family = Histogram(
            f"vllm:{name}", text, list(self._labels), buckets=buckets, registry=self._registry
        )
        return family.labels(**self._labels)

    def counter(self, name: str, text: str) -> Counter:
        """A counter, whose name gets ``_total``."""
        family = Counter(f"vllm:{name}", text, list(self._labels), registry=self._registry)
        return family.labels(**self._labels)

    def counters(
        self, name: str, text: str, label: str, values: Iterable[str]
    ) -> Mapping[str, Counter]:
        """One counter for each value of a further label; all begin at zero, as a rate needs."""
        names = [*self._labels, label]
        family = Counter(f"vllm:{name}", text, names, registry=self._registry)
        return {value: family.labels(**self._labels, **{label: value}) for value in values}


def gauge(
    name: str, text: str, value: float, labels: Mapping[str, str] | None = None
) -> GaugeMetricFamily:
    """A gauge as a collector gives it out."""
    labels = labels or {}
    family = GaugeMetricFamily(name, text, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family


def counter(
    name: str, text: str, value: float, labels: Mapping[str, str] | None = None
) -> CounterMetricFamily:
    """A counter as a collector gives it out."""
    labels = labels or {}
    family = CounterMetricFamily(name, text, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family
