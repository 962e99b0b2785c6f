"""Inference engine: token ids in, token ids out. Knows nothing of text or HTTP."""

from sterna.engine.async_engine import AsyncEngine
from sterna.engine.bench.kernels import bench_kernels
from sterna.engine.bench.model import bench_model
from sterna.engine.config import EngineConfig, HeadType, KVDtype, context_tokens
from sterna.engine.constraints.constraint import Constraint, Matcher
from sterna.engine.energy.accounting import EnergyAccounting
from sterna.engine.energy.arithmetic import ArithmeticModel, PartJoules
from sterna.engine.energy.meter import EnergyMeter
from sterna.engine.energy.report import EnergyBasis, EnergyReport
from sterna.engine.errors import (
    CheckpointError,
    ConfigError,
    ConstraintError,
    ContextLengthError,
    EngineDeadError,
    EngineError,
    GenerationError,
    RequestError,
    SettingError,
)
from sterna.engine.footprint import Footprint
from sterna.engine.machine.process_memory import ProcessMemory
from sterna.engine.model.load import read_gguf_keys, read_model_config
from sterna.engine.model.sources.regular_file import read_regular
from sterna.engine.model_info import ModelInfo
from sterna.engine.progress import Progress
from sterna.engine.requests.logprobs import PromptLogprob, TokenLogprob
from sterna.engine.requests.outputs import EngineStats, Histogram, TokenOutput, TokenTimes
from sterna.engine.requests.request import (
    MAX_BIAS,
    MAX_LOGPROBS,
    EnergyShare,
    FinishReason,
    SamplingParams,
)
from sterna.engine.synth.checkpoint import synthesize_checkpoint
from sterna.engine.synth.gguf import gguf_types, synthesize_gguf
from sterna.engine.synth.shapes import shape_names

__all__ = [
    "MAX_BIAS",
    "MAX_LOGPROBS",
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
    "HeadType",
    "Histogram",
    "KVDtype",
    "Matcher",
    "ModelInfo",
    "PartJoules",
    "ProcessMemory",
    "Progress",
    "PromptLogprob",
    "RequestError",
    "SamplingParams",
    "SettingError",
    "TokenLogprob",
    "TokenOutput",
    "TokenTimes",
    "bench_kernels",
    "bench_model",
    "context_tokens",
    "gguf_types",
    "read_gguf_keys",
    "read_model_config",
    "read_regular",
    "shape_names",
    "synthesize_checkpoint",
    "synthesize_gguf",
]
