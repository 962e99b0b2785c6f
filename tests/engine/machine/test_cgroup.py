from pathlib import Path

from sterna.engine.machine import cgroup
from tests.engine.file_tree import write_tree

TOP = "sys/fs/cgroup"


def test_groups_are_walked_from_the_innermost_up(tmp_path: Path) -> None:
    root = write_tree(tmp_path, {"proc/self/cgroup": "0::/a/b\n", f"{TOP}/a/b/x": ""})
    folders = [root / TOP / name for name in ("a/b", "a", "")]
    assert list(cgroup.folders_v2(root)) == folders


def test_path_that_exists_only_outside_the_container_is_skipped(tmp_path: Path) -> None:
    root = write_tree(tmp_path, {"proc/self/cgroup": "0::/docker/123\n", f"{TOP}/x": ""})
    assert list(cgroup.folders_v2(root)) == [root / TOP]


def test_version_1_controllers_may_share_a_line(tmp_path: Path) -> None:
    lines = "5:memory:/m\n4:cpu,cpuacct:/c\n0::/\n"
    root = write_tree(tmp_path, {"proc/self/cgroup": lines, f"{TOP}/cpu/c/x": ""})
    assert list(cgroup.folders_v1(root, "cpu")) == [root / TOP / "cpu/c", root / TOP / "cpu"]
    assert list(cgroup.folders_v1(root, "memory")) == []


def test_no_groups_at_all(tmp_path: Path) -> None:
    assert list(cgroup.folders_v2(tmp_path)) == []


def test_only_a_number_is_a_number(tmp_path: Path) -> None:
    write_tree(tmp_path, {"number": "12\n", "max": "max\n"})
    names = ("number", "max", "missing")
    assert [cgroup.read_number(tmp_path / name) for name in names] == [12, None, None]
