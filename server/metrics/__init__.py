"""All Prometheus metrics, one file per noun. ``docs/metrics.md`` lists the names.

``vllm:`` metrics have vLLM's names, labels, buckets and intervals, so that its dashboards work
unchanged; there is one only if its value is meaningful here. ``sterna:`` metrics are our own.
"""

from sterna.server.metrics.app_metrics import Metrics
from sterna.server.metrics.prompt import PromptMeter, SequenceMeter

__all__ = ["Metrics", "PromptMeter", "SequenceMeter"]
