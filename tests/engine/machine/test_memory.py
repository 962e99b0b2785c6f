import platform
import re
from pathlib import Path

import pytest

from sterna.engine.config import EngineConfig
from sterna.engine.errors import ConfigError
from sterna.engine.machine.memory import (
    BlockSize,
    free_memory_bytes,
    num_cache_blocks,
    return_freed_memory,
)
from tests.engine.file_tree import write_tree

MACHINE = {"proc/meminfo": "MemTotal: 16 kB\nMemAvailable: 10 kB\nHugePages_Total: 0\n"}
TOP = "sys/fs/cgroup"


def test_machine_without_limits(tmp_path: Path) -> None:
    assert free_memory_bytes(write_tree(tmp_path, MACHINE)) == 10 * 1024


def test_version_2_limit_counts_and_file_pages_can_be_reclaimed(tmp_path: Path) -> None:
    group = {
        "proc/self/cgroup": "0::/pod\n",
        f"{TOP}/pod/memory.max": "5000\n",
        f"{TOP}/pod/memory.high": "max\n",
        f"{TOP}/pod/memory.current": "3000\n",
        f"{TOP}/pod/memory.stat": "anon 1\ninactive_file 400\n",
    }
    assert free_memory_bytes(write_tree(tmp_path, MACHINE | group)) == 2400


def test_tightest_of_nested_limits_counts(tmp_path: Path) -> None:
    groups = {
        "proc/self/cgroup": "0::/outer/inner\n",
        f"{TOP}/outer/memory.max": "700\n",
        f"{TOP}/outer/memory.current": "0\n",
        f"{TOP}/outer/inner/memory.max": "max\n",
        f"{TOP}/outer/inner/memory.current": "0\n",
    }
    assert free_memory_bytes(write_tree(tmp_path, MACHINE | groups)) == 700


def test_version_1_limit_counts(tmp_path: Path) -> None:
    group = {
        "proc/self/cgroup": "3:memory:/docker/1\n0::/\n",
        f"{TOP}/memory/memory.limit_in_bytes": "6000\n",
        f"{TOP}/memory/memory.usage_in_bytes": "5000\n",
        f"{TOP}/memory/memory.stat": "total_inactive_file 24\n",
    }
    assert free_memory_bytes(write_tree(tmp_path, MACHINE | group)) == 1024


def test_group_over_its_limit_has_nothing_left(tmp_path: Path) -> None:
    group = {f"{TOP}/memory.max": "10\n", f"{TOP}/memory.current": "20\n"}
    assert free_memory_bytes(write_tree(tmp_path, MACHINE | group)) == 0


def test_this_machine_has_free_memory() -> None:
    assert free_memory_bytes() > 0


BLOCK = BlockSize(num_tokens=16, num_bytes=16_000)


def config(kv_cache_tokens: int | None = None) -> EngineConfig:
    return EngineConfig(Path("model"), max_batch_requests=4, kv_cache_tokens=kv_cache_tokens)


def test_setting_wins_over_free_memory() -> None:
    assert num_cache_blocks(config(100), BLOCK, 2048, free_bytes=0) == 6


def test_cache_takes_its_share_of_free_memory() -> None:
    assert num_cache_blocks(config(), BLOCK, 2048, free_bytes=320_000) == 10


def test_cache_is_no_larger_than_full_contexts_of_all_requests() -> None:
    assert num_cache_blocks(config(), BLOCK, 40, free_bytes=10**12) == 4 * 3


@pytest.mark.parametrize("free_bytes", [31_000, -5])
def test_no_room_for_a_single_block_is_an_error(free_bytes: int) -> None:
    with pytest.raises(ConfigError, match="not enough memory for the KV cache"):
        num_cache_blocks(config(), BLOCK, 2048, free_bytes)


def test_setting_of_less_than_a_block_is_an_error() -> None:
    with pytest.raises(ConfigError, match="at least 16, one block of the cache, found 15"):
        num_cache_blocks(config(15), BLOCK, 2048, free_bytes=10**9)


def resident_kilobytes() -> int:
    """Return the memory that this process has for itself: no file can give it back."""
    found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries keep little")
def test_freed_memory_goes_back_to_the_system() -> None:
    blocks = [b"x" * 100_000 for _ in range(600)]  # small enough to come from the heap
    pinned = [b"y" * 1000 for _ in range(100)]  # at its end, where nothing is trimmed by itself
    full = resident_kilobytes()
    blocks.clear()
    return_freed_memory()
    assert resident_kilobytes() < full - 50_000
    assert pinned
