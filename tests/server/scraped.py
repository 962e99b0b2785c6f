"""One sample of an app's metrics, as a scrape would read it."""

from sterna.server.http.dependencies import Services

MODEL_LABELS = {"model_name": "scripted", "engine": "0"}


def value(services: Services, name: str, **labels: str) -> float | None:
    """The sample's value, or None. vLLM's two labels need not be named."""
    model = MODEL_LABELS if name.startswith("vllm:") else {}
    return services.metrics.registry.get_sample_value(name, model | labels)
