"""From a path to a model's configuration and weights."""

import hashlib
from dataclasses import replace
from functools import partial
from pathlib import Path

from sterna.engine.model.config import ModelConfig
from sterna.engine.model.families.registry import model_tensors, read_config
from sterna.engine.model.packed_cache import PackedCache
from sterna.engine.model.packing import Packing
from sterna.engine.model.sources.registry import open_source
from sterna.engine.model.weights import ModelWeights
from sterna.engine.progress import Progress


def read_model_config(path: Path) -> ModelConfig:
    """Read the configuration of the model at a path, and no weights.

    Raises CheckpointError for what is missing, impossible or not served.
    """
    return read_config(open_source(path))


def load_weights(path: Path, cache_dir: Path, progress: Progress | None = None) -> ModelWeights:
    """Load the model at a path; packs it first, unless ``cache_dir`` has it packed.

    Raises CheckpointError for anything that cannot be served.
    """
    source = open_source(path)
    config = read_config(source)
    tensors = model_tensors(config)
    source.check(tensors)
    packing = Packing(config, tensors, source)
    cache = PackedCache(_cache_file(path, cache_dir), source.fingerprint(), packing.shapes())
    arrays = cache.arrays(partial(packing.fill, progress=progress or _ignore))
    # Opened anew: packing has read all of the old mapping, whose pages go with it.
    return replace(packing, source=open_source(path)).assemble(arrays)


def _ignore(what: str, done: int, total: int) -> None:
    """Show no progress."""


def _cache_file(path: Path, cache_dir: Path) -> Path:
    """Return one name for each checkpoint, telling to a reader and distinct."""
    path = path.resolve()
    return cache_dir / f"{path.name}-{hashlib.sha256(str(path).encode()).hexdigest()[:16]}"
