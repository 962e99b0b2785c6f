"""Free memory, and how much of it the key-value cache gets."""

from collections.abc import Iterator
from pathlib import Path

from engine import cgroup
from engine.config import EngineConfig
from engine.errors import ConfigError

CACHE_SHARE = 0.5  # of the free memory; the rest is for activations, the server and other programs
FILE_SYSTEM = Path("/")


def num_cache_blocks(
    config: EngineConfig, bytes_per_token: int, max_context_tokens: int, free_bytes: int
) -> int:
    """Decide how many blocks the cache gets.

    Asked for by ``kv_cache_tokens``, else a share of the free memory, but no more than would let
    every running request fill its context. Raises ConfigError if not even one block fits.
    """
    if config.kv_cache_tokens is not None:
        return config.kv_cache_tokens // config.kv_block_tokens
    blocks_per_request = -(-max_context_tokens // config.kv_block_tokens)
    useful = config.max_batch_requests * blocks_per_request
    block_bytes = bytes_per_token * config.kv_block_tokens
    affordable = int(free_bytes * CACHE_SHARE) // block_bytes
    if affordable < 1:
        raise ConfigError(
            f"no room for the key-value cache: {free_bytes} bytes of memory are free, and "
            f"{CACHE_SHARE:.0%} of that does not hold one block of {block_bytes} bytes"
        )
    return min(useful, affordable)


def free_memory_bytes(root: Path = FILE_SYSTEM) -> int:
    """Bytes that this process may still take: the machine's, or a control group's if less."""
    limits = [*_free_in_machine(root), *_free_in_groups_v2(root), *_free_in_groups_v1(root)]
    return max(0, min(limits, default=0))


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
