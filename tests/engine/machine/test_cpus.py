from pathlib import Path

import pytest

from sterna.engine.errors import ConfigError
from sterna.engine.machine.cpus import choose_num_threads, default_num_threads
from tests.engine.file_tree import write_tree

TOP = "sys/fs/cgroup"


def topology(siblings: dict[int, str], name: str = "core_cpus_list") -> dict[str, str]:
    return {
        f"sys/devices/system/cpu/cpu{cpu}/topology/{name}": cpus + "\n"
        for cpu, cpus in siblings.items()
    }


FOUR_CORES = topology({cpu: f"{cpu % 4},{cpu % 4 + 4}" for cpu in range(8)})
ALL = set(range(8))


def test_two_hardware_threads_are_one_core(tmp_path: Path) -> None:
    assert default_num_threads(write_tree(tmp_path, FOUR_CORES), ALL) == 4


@pytest.mark.parametrize(("cpus", "cores"), [({0, 4}, 1), ({0, 1}, 2), ({1, 2, 5, 7}, 3)])
def test_only_the_affinity_mask_counts(tmp_path: Path, cpus: set[int], cores: int) -> None:
    assert default_num_threads(write_tree(tmp_path, FOUR_CORES), cpus) == cores


def test_older_kernels_name_the_siblings_otherwise(tmp_path: Path) -> None:
    tree = write_tree(tmp_path, topology({0: "0-1", 1: "0-1"}, "thread_siblings_list"))
    assert default_num_threads(tree, {0, 1}) == 1


def test_cpu_of_unknown_topology_is_a_core(tmp_path: Path) -> None:
    assert default_num_threads(tmp_path, {0, 1, 2}) == 3


@pytest.mark.parametrize(
    ("cpu_max", "threads"),
    [("max 100000", 4), ("200000 100000", 2), ("250000 100000", 2), ("50000 100000", 1)],
)
def test_version_2_quota(tmp_path: Path, cpu_max: str, threads: int) -> None:
    group = {"proc/self/cgroup": "0::/pod\n", f"{TOP}/pod/cpu.max": cpu_max + "\n"}
    assert default_num_threads(write_tree(tmp_path, FOUR_CORES | group), ALL) == threads


@pytest.mark.parametrize(("quota", "threads"), [("-1", 4), ("300000", 3)])
def test_version_1_quota(tmp_path: Path, quota: str, threads: int) -> None:
    group = {
        "proc/self/cgroup": "4:cpu,cpuacct:/docker/1\n",
        f"{TOP}/cpu/docker/1/cpu.cfs_quota_us": quota + "\n",
        f"{TOP}/cpu/docker/1/cpu.cfs_period_us": "100000\n",
    }
    assert default_num_threads(write_tree(tmp_path, FOUR_CORES | group), ALL) == threads


def test_this_machine_has_a_core() -> None:
    assert default_num_threads() >= 1


@pytest.mark.parametrize(("num_cpus", "limit"), [(1, 8), (2, 8), (4, 16)])
def test_far_more_threads_than_cpus_are_refused(num_cpus: int, limit: int) -> None:
    cpus = set(range(num_cpus))
    assert choose_num_threads(limit, cpus) == limit
    with pytest.raises(ConfigError, match=f"at most {limit} here .*: {num_cpus}.*, found 99999"):
        choose_num_threads(99_999, cpus)
