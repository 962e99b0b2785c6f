"""As the kernels' README says, an instruction set or an operation is one file and one line."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
KERNELS = ROOT / "engine/kernels"

# Lets Python take the extension from another folder, then runs what follows.
WITH_EXTENSION = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("sterna.engine.kernels._native", sys.argv[1])
sys.modules[spec.name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules[spec.name])
"""

RUN_OPERATION = """
import numpy as np
from sterna.engine.kernels import NativeProgram, Step
program = NativeProgram()
rows = program.input_rows(np.ones((2, 3), np.float32))
program._program.double_rows(rows.index)
none, two = np.zeros(0, np.int32), np.zeros(2, np.int32)
program.run(Step(two, two, two, np.zeros((0, 0), np.int32), np.zeros(1, np.int32), none))
assert (program.read(rows)[:2] == 2).all()
"""

RUN_TESTS = """
import pytest
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-k", "toy", *sys.argv[2:]]))
"""


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An extension with an instruction set "toy", as scalar is, and with the README's operation."""
    folder = tmp_path_factory.mktemp("kernels")
    shutil.copytree(KERNELS / "csrc", folder / "csrc")
    scalar = (KERNELS / "csrc/isa/scalar.cpp").read_text()
    toy = scalar.replace("scalar_kernels", "toy_kernels").replace('"scalar"', '"toy"')
    (folder / "csrc/isa/toy.cpp").write_text(toy)
    (recipe,) = re.findall(r"```cpp\n(.*?)```", (KERNELS / "README.md").read_text(), re.DOTALL)
    (folder / "csrc/ops/double_rows.cpp").write_text(recipe)
    lines = (KERNELS / "CMakeLists.txt").read_text()
    lines = lines.replace("add_isa(scalar)", "add_isa(toy)\nadd_isa(scalar)")
    lines = lines.replace("add_operation(head)", "add_operation(head)\nadd_operation(double_rows)")
    (folder / "CMakeLists.txt").write_text(lines)
    return build(folder)


def build(folder: Path) -> Path:
    """Compile without optimisation, which is fast, and return the extension."""
    python = [sys.executable, "-m"]
    nanobind = subprocess.run(
        [*python, "nanobind", "--cmake_dir"], check=True, capture_output=True, text=True
    ).stdout.strip()
    cmake = [str(Path(sys.executable).with_name("cmake"))]
    options = [f"-Dnanobind_DIR={nanobind}", f"-DPython_EXECUTABLE={sys.executable}"]
    options += ["-DCMAKE_BUILD_TYPE=Debug", "-GNinja"]
    options += [f"-DCMAKE_MAKE_PROGRAM={Path(sys.executable).with_name('ninja')}"]
    configure = [*cmake, "-S", str(folder), "-B", str(folder / "build"), *options]
    with_compiler = ["scripts/with_compiler.sh", sys.executable]
    subprocess.run([*with_compiler, *configure], check=True, cwd=ROOT)
    subprocess.run([*cmake, "--build", str(folder / "build")], check=True)
    (extension,) = (folder / "build").glob("_native*.so")
    return extension


def run(extension: Path, code: str, *arguments: str) -> None:
    command = [sys.executable, "-c", WITH_EXTENSION + code, str(extension), *arguments]
    result = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.slow
def test_an_instruction_set_is_a_file_and_a_line(extension: Path) -> None:
    """It passes the tests of the others, which find it by themselves."""
    run(extension, RUN_TESTS, "tests/engine/kernels/test_ternary_matmul.py")
    run(extension, RUN_TESTS, "tests/engine/kernels/test_dispatch.py")


@pytest.mark.slow
def test_an_operation_is_a_file_and_a_line(extension: Path) -> None:
    run(extension, RUN_OPERATION)
