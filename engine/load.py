"""Loads an engine from settings: weights, cache, recorded network, scheduler."""

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sterna.engine.config import EngineConfig, context_tokens
from sterna.engine.core import EngineCore
from sterna.engine.energy.accounting import EnergyAccounting
from sterna.engine.energy.meter import EnergyMeter
from sterna.engine.energy.metered_runner import MeteredRunner
from sterna.engine.energy.operations import OperationCosts, OperationCounter
from sterna.engine.errors import ConfigError
from sterna.engine.execution.model_runner import ModelRunner
from sterna.engine.footprint import Footprint
from sterna.engine.kernels import BACKENDS, CACHE_TOKENS, KVDtype, Program, kv_head_bytes
from sterna.engine.machine.cpus import choose_num_threads
from sterna.engine.machine.memory import (
    BlockSize,
    free_memory_bytes,
    num_cache_blocks,
    return_freed_memory,
)
from sterna.engine.model.config import ModelConfig
from sterna.engine.model.families.registry import family_of
from sterna.engine.model.families.rotary import attention_shape
from sterna.engine.model.load import load_weights
from sterna.engine.model.weights import ModelWeights
from sterna.engine.model_info import ModelInfo
from sterna.engine.progress import Progress
from sterna.engine.scheduling.kv_cache import KVCache
from sterna.engine.scheduling.scheduler import MAX_SCORED_ROWS, Scheduler

FP16_BYTES: Final = 2

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadedEngine:
    """The result of loading: the core and its parts."""

    core: EngineCore
    model: ModelInfo
    weights: ModelWeights
    program: Program
    energy: EnergyAccounting


def load_engine(
    config: EngineConfig, meter: EnergyMeter, progress: Progress | None = None
) -> LoadedEngine:
    """Load the checkpoint and assemble the engine around it; the meter is told of its steps.

    Raises CheckpointError, ConfigError.
    """
    num_threads = choose_num_threads(config.num_threads)
    check_backend(config.backend, config.device)
    weights = _load_weights(config, progress)  # only now, because it takes long
    return_freed_memory()  # packing has left a hundred megabytes of it
    max_context_tokens = context_tokens(
        config.max_context_tokens, weights.config.max_context_tokens
    )
    # Weights are mapped from files: they look like free memory, but are read in every step.
    free_bytes = free_memory_bytes() - weights.num_bytes
    block = BlockSize(CACHE_TOKENS, CACHE_TOKENS * _token_bytes(config, weights.config))
    num_blocks = num_cache_blocks(config, block, max_context_tokens, free_bytes)
    if num_blocks * block.num_bytes > free_bytes:  # can only have been asked for
        _warn_of_size(num_blocks * block.num_bytes, free_bytes)

    max_context_tokens = min(max_context_tokens, num_blocks * CACHE_TOKENS)  # sizes the tables
    program = _build_program(config, num_threads, weights, max_context_tokens, num_blocks)
    cache = KVCache(num_blocks, CACHE_TOKENS)
    scheduler = Scheduler(
        cache,
        config.max_batch_tokens,
        config.max_batch_requests,
        config.max_chunk_tokens,
        max_levels=config.max_priority_levels,
    )
    counter = OperationCounter(_costs(weights))
    core = EngineCore(
        scheduler,
        MeteredRunner(ModelRunner(program), meter.ledger, counter),
        _footprint(config, weights, program),
    )
    model = ModelInfo(
        vocab_size=weights.config.vocab_size,
        max_context_tokens=max_context_tokens,
        eos_token_ids=weights.config.eos_token_ids,
        num_parameters=weights.tensors.num_parameters,
    )
    _log(core, model)
    energy = EnergyAccounting(meter, counter, config.energy_period_seconds)
    return LoadedEngine(core, model, weights, program, energy)


def check_backend(backend: str, device: str = "cpu") -> None:
    """Raise ConfigError if the backend cannot run here: its device, instruction set or package."""
    try:
        BACKENDS[backend].check(device)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _load_weights(config: EngineConfig, progress: Progress | None) -> ModelWeights:
    if config.cache_dir is not None:
        return load_weights(config.model_path, config.cache_dir, progress)
    # The files stay mapped after the folder is gone, and go with the last mapping.
    with tempfile.TemporaryDirectory(prefix="sterna-") as folder:
        return load_weights(config.model_path, Path(folder), progress)


def stored_kv_dtype(config: EngineConfig) -> KVDtype:
    """Return what the backend's cache holds."""
    return BACKENDS[config.backend].stored_kv_dtype(config.kv_dtype)


def _token_bytes(config: EngineConfig, model: ModelConfig) -> int:
    """Return what one token takes in the cache: keys and values in all layers."""
    head_bytes = kv_head_bytes(model.head_size, stored_kv_dtype(config))
    return 2 * model.num_layers * model.num_kv_heads * head_bytes


def _build_program(
    config: EngineConfig,
    num_threads: int,
    weights: ModelWeights,
    max_context_tokens: int,
    num_blocks: int,
) -> Program:
    shape = attention_shape(weights.config, max_context_tokens, num_blocks, config.kv_dtype)
    max_tokens, max_logits = config.max_batch_tokens, config.max_batch_requests + MAX_SCORED_ROWS
    try:
        program = BACKENDS[config.backend].make_program(
            shape, num_threads, max_tokens, max_logits, config.device
        )
    except MemoryError:  # a share of free memory fits: this was asked for
        raise ConfigError(
            f"not enough memory for a cache of {num_blocks * CACHE_TOKENS} tokens: "
            "lower kv_cache_tokens"
        ) from None
    family_of(weights.config).record(program, weights, config.head)
    return program


def _footprint(config: EngineConfig, weights: ModelWeights, program: Program) -> Footprint:
    return Footprint(
        weight_bytes=weights.num_bytes,
        kv_cache_bytes=program.kv_cache_bytes,
        isa=program.isa,
        backend=config.backend,
        num_threads=program.num_threads,
        fp16_weight_bytes=FP16_BYTES * weights.tensors.num_parameters,
        head_bytes=weights.head_bytes(config.head),
        scratch_bytes=program.scratch_bytes,
        kv_dtype=stored_kv_dtype(config),
    )


def _costs(weights: ModelWeights) -> OperationCosts:
    model = weights.config
    return OperationCosts(
        linear_per_token=weights.tensors.num_ternary,
        head_per_row=model.vocab_size * model.hidden_size,
        attention_per_context_token=2 * model.num_layers * model.query_size,  # keys, values
    )


def _warn_of_size(cache_bytes: int, free_bytes: int) -> None:
    logger.warning(
        "the cache may grow to %.1f MB, but only %.1f MB are free: lower kv_cache_tokens",
        cache_bytes / 1e6,
        max(0, free_bytes) / 1e6,
    )


def _log(core: EngineCore, model: ModelInfo) -> None:
    stats, footprint = core.stats(), core.footprint
    logger.info(
        "loaded %.1f M parameters in %.1f MB; cache of %d tokens, %.1f MB; context of %d tokens; "
        "%s kernels (%s), %d threads",
        model.num_parameters / 1e6,
        footprint.weight_bytes / 1e6,
        stats.kv_blocks_total * stats.kv_block_tokens,
        footprint.kv_cache_bytes / 1e6,
        model.max_context_tokens,
        footprint.backend,
        footprint.isa,
        footprint.num_threads,
    )
