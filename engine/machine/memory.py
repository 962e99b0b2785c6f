"""Free memory, and the share of it for the KV cache."""

import ctypes
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sterna.engine.config import EngineConfig
from sterna.engine.errors import ConfigError, SettingError
from sterna.engine.machine import cgroup

CACHE_SHARE = 0.5  # of the free memory; the rest is for activations, the server and other programs


@dataclass(frozen=True, slots=True)
class BlockSize:
    """Size of one block of the cache, over all layers."""

    num_tokens: int
    num_bytes: int


def num_cache_blocks(
    config: EngineConfig, block: BlockSize, max_context_tokens: int, free_bytes: int
) -> int:
    """Decide how many blocks the cache gets.

    Asked for by ``kv_cache_tokens``, else a share of the free memory, but no more than would let
    every running request fill its context. Raises ConfigError if not even one block fits.
    """
    if config.kv_cache_tokens is not None:
        if config.kv_cache_tokens < block.num_tokens:
            raise SettingError(
                f"kv_cache_tokens must be at least {block.num_tokens}, one block of the cache, "
                f"found {config.kv_cache_tokens}"
            )
        return config.kv_cache_tokens // block.num_tokens
    affordable = int(max(0, free_bytes) * CACHE_SHARE) // block.num_bytes
    if affordable < 1:
        raise ConfigError(
            f"not enough memory for the KV cache: {CACHE_SHARE:.0%} of {free_bytes} free bytes "
            f"does not hold one block of {block.num_bytes} bytes"
        )
    blocks_per_request = -(-max_context_tokens // block.num_tokens)
    return min(affordable, config.max_batch_requests * blocks_per_request)


def free_memory_bytes(root: Path = cgroup.FILE_SYSTEM) -> int:
    """Return the free bytes for this process: of the machine, or of a control group if less."""
    limits = [*_free_in_machine(root), *_free_in_groups_v2(root), *_free_in_groups_v1(root)]
    return max(0, min(limits, default=0))


def return_freed_memory() -> None:
    """Return freed memory to the system, if the C library is glibc.

    glibc keeps it for later allocations, but after loading there are none as large.
    """
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _free_in_machine(root: Path) -> Iterator[int]:
    for name, value in _fields(root / "proc/meminfo"):
        if name == "MemAvailable:":
            yield value * 1024  # stated in KiB


def _free_in_groups_v2(root: Path) -> Iterator[int]:
    for group in cgroup.folders_v2(root):
        used = cgroup.read_number(group / "memory.current")
        for name in ("memory.max", "memory.high"):
            limit = cgroup.read_number(group / name)
            if limit is not None and used is not None:
                yield limit - used + _reclaimable(group, "inactive_file")


def _free_in_groups_v1(root: Path) -> Iterator[int]:
    for group in cgroup.folders_v1(root, "memory"):
        used = cgroup.read_number(group / "memory.usage_in_bytes")
        limit = cgroup.read_number(group / "memory.limit_in_bytes")
        if limit is not None and used is not None:
            yield limit - used + _reclaimable(group, "total_inactive_file")


def _reclaimable(group: Path, field: str) -> int:
    """File pages that count as used, but that the kernel drops when memory is asked for."""
    return dict(_fields(group / "memory.stat")).get(field, 0)


def _fields(file: Path) -> Iterator[tuple[str, int]]:
    """Yield name and number of lines of the form ``name 123 ...``; nothing if there is no file."""
    if file.is_file():
        for line in file.read_text().splitlines():
            name, value, *_ = line.split()
            yield name, int(value)
