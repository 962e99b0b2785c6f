"""Every Prometheus metric, one file for each noun. ``docs/metrics.md`` lists the names.

``vllm:`` families have the names, labels, buckets and intervals of vLLM, so that what reads those
works here unchanged; there is one only where its value is true. ``sterna:`` is our own.
"""

from sterna.server.metrics.app_metrics import Metrics
from sterna.server.metrics.prompt import PromptMeter, SequenceMeter

__all__ = ["Metrics", "PromptMeter", "SequenceMeter"]
