"""The metrics of one app: those that requests report, and those read at each scrape."""

from prometheus_client import CollectorRegistry, Counter, ProcessCollector, disable_created_metrics

from sterna.engine import ArithmeticModel, AsyncEngine
from sterna.server.metrics.energy import EnergyCollector
from sterna.server.metrics.engine import EngineCollector
from sterna.server.metrics.families import Families
from sterna.server.metrics.http import HttpMetrics
from sterna.server.metrics.memory import MemoryCollector
from sterna.server.metrics.prompt import PromptMeter
from sterna.server.metrics.requests import RequestMetrics

REJECTIONS = ("queue_full",)


class Metrics:
    """All metrics of one app, in their own registry. Times are monotonic seconds."""

    def __init__(self, engine: AsyncEngine, model_name: str, arithmetic: ArithmeticModel) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # times that nobody asks for
        self.registry = registry = CollectorRegistry()
        families = Families(registry, model_name)
        self.requests = RequestMetrics(families, engine.model.max_context_tokens)
        self.http = HttpMetrics(registry)
        self.rejections = Counter(
            "sterna:rejections",
            "Sequences refused on arrival, by reason. Each of n choices counts.",
            ["reason"],
            registry=registry,
        )
        for reason in REJECTIONS:
            self.rejections.labels(reason)  # a rate needs to start from a zero
        registry.register(EngineCollector(engine, model_name))
        registry.register(MemoryCollector(engine))
        registry.register(EnergyCollector(engine, arithmetic))
        ProcessCollector(registry=registry)

    def prompt(
        self, arrived_at: float, num_prompt_tokens: int, max_tokens: int, num_choices: int
    ) -> PromptMeter:
        """Return a meter for the sequences of one prompt.

        arrived_at: when the HTTP request arrived, before the prompt was encoded.
        """
        return PromptMeter(self.requests, arrived_at, num_prompt_tokens, max_tokens, num_choices)
