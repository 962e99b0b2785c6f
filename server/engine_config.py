"""The engine's part of the settings."""

from pathlib import Path

from sterna.engine import ConfigError, EngineConfig
from sterna.server.settings import Settings


def engine_config(settings: Settings) -> EngineConfig:
    """Return it. Raises ConfigError."""
    if settings.model is None:
        raise ConfigError("the model must be resolved to a folder first")
    return EngineConfig(
        model_path=Path(settings.model),
        max_context_tokens=settings.max_context_tokens,
        max_batch_tokens=settings.max_batch_tokens,
        max_chunk_tokens=settings.max_chunk_tokens,
        max_batch_requests=settings.max_batch_requests,
        max_priority_levels=settings.max_priority_levels,
        kv_cache_tokens=settings.kv_cache_tokens,
        kv_dtype=settings.kv_dtype,
        head=settings.head,
        num_threads=settings.threads,
        backend=settings.backend,
        device=settings.device,
        cache_dir=settings.cache_dir,
        powercap_dir=settings.powercap_dir,
        zeusd=settings.zeusd,
        energy_period_seconds=settings.energy_period_seconds,
        tdp_watts=settings.tdp_watts,
        idle_watts=settings.idle_watts,
    )
