from pathlib import Path

from sterna.engine.machine.process_memory import ProcessMemory
from tests.engine.file_tree import write_tree

STATUS = (
    "Name:\tx\nVmHWM:\t 30 kB\nVmRSS:\t 20 kB\nRssAnon:\t 5 kB\nRssFile:\t 15 kB\nThreads:\t2\n"
)


def test_memory_is_told_in_bytes(tmp_path: Path) -> None:
    write_tree(tmp_path, {"proc/self/status": STATUS})
    assert ProcessMemory.read(tmp_path) == ProcessMemory(20480, 5120, 30720, None)


def test_the_least_limit_of_all_groups_holds(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/pod/box\n",
        "sys/fs/cgroup/pod/memory.max": "1000\n",
        "sys/fs/cgroup/pod/box/memory.max": "max\n",
    }
    write_tree(tmp_path, files)
    assert ProcessMemory.read(tmp_path).group_limit_bytes == 1000


def test_version_1_says_no_limit_with_a_number(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "4:memory:/\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    }
    write_tree(tmp_path, files)
    assert ProcessMemory.read(tmp_path).group_limit_bytes is None


def test_where_there_is_no_proc_nothing_is_known(tmp_path: Path) -> None:
    assert ProcessMemory.read(tmp_path) == ProcessMemory(None, None, None, None)


def test_this_process_has_memory() -> None:
    memory = ProcessMemory.read()
    assert memory.anonymous_bytes
    assert memory.resident_bytes
    assert memory.resident_bytes > memory.anonymous_bytes
