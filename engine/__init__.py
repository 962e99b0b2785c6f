"""Inference engine: token ids in, token ids out. Knows nothing of text or HTTP."""

from engine.async_engine import AsyncEngine
from engine.bench.kernels import bench_kernels
from engine.bench.model import bench_model
from engine.config import EngineConfig
from engine.constraints.constraint import Constraint, Matcher
from engine.energy.accounting import EnergyAccounting
from engine.energy.arithmetic import ArithmeticModel, PartJoules
from engine.energy.meter import EnergyMeter
from engine.energy.report import EnergyBasis, EnergyReport
from engine.errors import (
    CheckpointError,
    ConfigError,
    ConstraintError,
    ContextLengthError,
    EngineDeadError,
    EngineError,
    GenerationError,
    RequestError,
)
from engine.facts import Footprint, ModelInfo
from engine.machine.process_memory import ProcessMemory
from engine.model.config import read_model_config
from engine.requests.logprobs import PromptLogprob, TokenLogprob
from engine.requests.outputs import EngineStats, Histogram, TokenOutput, TokenTimes
from engine.requests.request import EnergyShare, FinishReason, SamplingParams
from engine.synth.checkpoint import shape_names, synthesize_checkpoint

__all__ = [
    "ArithmeticModel",
    "AsyncEngine",
    "CheckpointError",
    "ConfigError",
    "Constraint",
    "ConstraintError",
    "ContextLengthError",
    "EnergyAccounting",
    "EnergyBasis",
    "EnergyMeter",
    "EnergyReport",
    "EnergyShare",
    "EngineConfig",
    "EngineDeadError",
    "EngineError",
    "EngineStats",
    "FinishReason",
    "Footprint",
    "GenerationError",
    "Histogram",
    "Matcher",
    "ModelInfo",
    "PartJoules",
    "ProcessMemory",
    "PromptLogprob",
    "RequestError",
    "SamplingParams",
    "TokenLogprob",
    "TokenOutput",
    "TokenTimes",
    "bench_kernels",
    "bench_model",
    "read_model_config",
    "shape_names",
    "synthesize_checkpoint",
]
