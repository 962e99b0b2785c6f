"""Threads share a step's tiles, and none waits for one that the system does not let run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCE = Path(__file__).with_name("thread_pool_test.cpp")
PARTS = re.findall(r"^  PART\((\w+)\);", SOURCE.read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled C++ test."""
    csrc, binary = ROOT / "engine/kernels/csrc", tmp_path_factory.mktemp("pool") / "test"
    compiler = ["scripts/with_compiler.sh", sys.executable]
    compiler += ["sh", "-c", '"$CXX" $CXXFLAGS "$@"', "-"]
    flags = ["-std=c++17", "-O2", "-pthread", "-Wall", "-Wextra", "-Werror", f"-I{csrc}"]
    sources = [str(SOURCE), str(csrc / "thread_pool.cpp")]
    subprocess.run([*compiler, *flags, *sources, "-o", str(binary)], check=True, cwd=ROOT)
    return binary


@pytest.mark.parametrize("part", PARTS)
def test_the_pool_keeps_its_promises(program: Path, part: str) -> None:
    """Each part says by its name what it tests. What hangs is stopped after minutes."""
    result = subprocess.run(
        [program, part], check=False, capture_output=True, text=True, timeout=300
    )
    assert (result.returncode, result.stdout) == (0, "done\n"), result.stderr
