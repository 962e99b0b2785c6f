"""Inference engine: token ids in, token ids out. Knows nothing of text or HTTP."""

from engine.config import EngineConfig
from engine.errors import (
    CheckpointError,
    ConfigError,
    ContextLengthError,
    EngineDeadError,
    EngineError,
    GenerationError,
    RequestError,
)
from engine.outputs import EngineStats, TokenOutput
from engine.request import FinishReason, SamplingParams

__all__ = [
    "CheckpointError",
    "ConfigError",
    "ContextLengthError",
    "EngineConfig",
    "EngineDeadError",
    "EngineError",
    "EngineStats",
    "FinishReason",
    "GenerationError",
    "RequestError",
    "SamplingParams",
    "TokenOutput",
]
