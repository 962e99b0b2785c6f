"""Number of compute threads: as requested, or the physical cores that this process may use."""

import os
from collections.abc import Iterator, Set
from pathlib import Path

from sterna.engine.errors import SettingError
from sterna.engine.machine import cgroup

THREADS_PER_CPU = 4  # more are slow: all wait for each other, many times in a step
FEW_THREADS = 8  # never too many, on however few CPUs


def choose_num_threads(asked: int | None, cpus: Set[int] | None = None) -> int:
    """Return the requested number of threads, or the default. Raises SettingError for too many."""
    if asked is None:
        return default_num_threads(cpus=cpus)
    num_cpus = len(_affinity_mask() if cpus is None else cpus)
    limit = max(FEW_THREADS, THREADS_PER_CPU * num_cpus)
    if asked > limit:
        raise SettingError(
            f"num_threads must be at most {limit} here (usable CPUs: {num_cpus}), found {asked}"
        )
    return asked


def default_num_threads(root: Path = cgroup.FILE_SYSTEM, cpus: Set[int] | None = None) -> int:
    """Count physical cores among ``cpus`` (None: the affinity mask), within the group's CPU quota.

    Two hardware threads of a core share its multipliers, so a second one would not help.
    A quota is rounded down: threads beyond it would be stopped while the others wait for them.
    """
    cores = num_physical_cores(root, _affinity_mask() if cpus is None else cpus)
    return max(1, int(min([cores, *_quotas_v2(root), *_quotas_v1(root)])))


def num_physical_cores(root: Path, cpus: Set[int]) -> int:
    """Count distinct cores; a CPU of unknown topology is a core of its own."""
    return len({_core(root, cpu) for cpu in cpus})


def _affinity_mask() -> Set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _core(root: Path, cpu: int) -> str:
    """Name the core of a CPU by the list of the CPUs that share it."""
    topology = root / f"sys/devices/system/cpu/cpu{cpu}/topology"
    for name in ("core_cpus_list", "thread_siblings_list"):  # the newer name first
        if (topology / name).is_file():
            return (topology / name).read_text().strip()
    return str(cpu)


def _quotas_v2(root: Path) -> Iterator[float]:
    for group in cgroup.folders_v2(root):
        if (group / "cpu.max").is_file():
            quota, period = (group / "cpu.max").read_text().split()  # microseconds
            if quota != "max":
                yield int(quota) / int(period)


def _quotas_v1(root: Path) -> Iterator[float]:
    for group in cgroup.folders_v1(root, "cpu"):
        quota = cgroup.read_number(group / "cpu.cfs_quota_us")
        period = cgroup.read_number(group / "cpu.cfs_period_us")
        if quota is not None and quota > 0 and period:
            yield quota / period
