"""Creates metrics; those that vLLM has too get its prefix and its two labels."""

from collections.abc import Iterable, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

ENGINE = "0"  # vLLM numbers its engines; here there is one


def model_labels(model_name: str) -> dict[str, str]:
    """Return the labels of vLLM's metrics."""
    return {"model_name": model_name, "engine": ENGINE}


class Families:
    """Creates and registers vLLM's metrics for requests."""

    def __init__(self, registry: CollectorRegistry, model_name: str) -> None:
        self._registry = registry
        self._labels = model_labels(model_name)

    def histogram(self, name: str, text: str, buckets: Sequence[float]) -> Histogram:
        """Return a histogram; values above its last bucket are counted too."""
        family = Histogram(
            f"vllm:{name}", text, list(self._labels), buckets=buckets, registry=self._registry
        )
        return family.labels(**self._labels)

    def counter(self, name: str, text: str) -> Counter:
        """Return a counter; its name gets the suffix ``_total``."""
        family = Counter(f"vllm:{name}", text, list(self._labels), registry=self._registry)
        return family.labels(**self._labels)

    def counters(
        self, name: str, text: str, label: str, values: Iterable[str]
    ) -> Mapping[str, Counter]:
        """Return one counter per value of a label; all start at zero, as rates require."""
        names = [*self._labels, label]
        family = Counter(f"vllm:{name}", text, names, registry=self._registry)
        return {value: family.labels(**self._labels, **{label: value}) for value in values}


def gauge(
    name: str, text: str, value: float, labels: Mapping[str, str] | None = None
) -> GaugeMetricFamily:
    """Return a gauge for a collector."""
    labels = labels or {}
    family = GaugeMetricFamily(name, text, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family


def counter(
    name: str, text: str, value: float, labels: Mapping[str, str] | None = None
) -> CounterMetricFamily:
    """Return a counter for a collector."""
    labels = labels or {}
    family = CounterMetricFamily(name, text, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family
