"""Inference engine: token ids in, token ids out. Knows nothing of text or HTTP."""

from engine.async_engine import AsyncEngine
from engine.bench.kernels import bench_kernels
from engine.bench.model import bench_model
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
from engine.facts import ModelInfo
from engine.outputs import EngineStats, TokenOutput
from engine.request import FinishReason, SamplingParams
from engine.synth import synthesize_checkpoint

__all__ = [
    "AsyncEngine",
    "CheckpointError",
    "ConfigError",
    "ContextLengthError",
    "EngineConfig",
    "EngineDeadError",
    "EngineError",
    "EngineStats",
    "FinishReason",
    "GenerationError",
    "ModelInfo",
    "RequestError",
    "SamplingParams",
    "TokenOutput",
    "bench_kernels",
    "bench_model",
    "synthesize_checkpoint",
]
