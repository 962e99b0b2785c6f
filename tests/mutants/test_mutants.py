"""For each mistake of mutations.toml, in a copy of the code, its tests fail; without, they pass."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

from tests.mutants.mutation import Mutation, mutations

pytestmark = pytest.mark.mutants

ROOT: Final = Path(__file__).parents[2]
COPIED: Final = ("engine", "server", "sterna", "tests", "pyproject.toml")
LIMIT_SECONDS: Final = 240  # less than a test may take: one that hangs notices nothing
PLUGINS: Final = ("-p", "pytest_asyncio.plugin", "-p", "pytest_timeout", "-p", "no:cacheprovider")
MUTATIONS: Final = mutations()
KILLERS: Final = sorted({mutation.killer for mutation in MUTATIONS} - {""})


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code, with the compiled kernels beside it."""
    tree = tmp_path_factory.mktemp("mutants") / "tree"
    tree.mkdir()
    for name in COPIED:
        _copy(ROOT / name, tree / name)
    native = find_spec("sterna.engine.kernels._native")
    assert native is not None
    assert native.origin is not None
    shutil.copy(native.origin, tree / "engine/kernels")
    return tree


@pytest.fixture
def mutant(tree: Path, request: pytest.FixtureRequest) -> Iterator[Mutation]:
    """A mistake that is in the copy during the test."""
    mutation: Mutation = request.param
    correct = mutation.apply(tree)
    yield mutation
    (tree / mutation.file).write_text(correct)


def test_all_pass_without_a_mistake(tree: Path) -> None:
    result = run(tree, *KILLERS)
    assert result.returncode == pytest.ExitCode.OK, result.stdout


@pytest.mark.parametrize(
    "mutant",
    [pytest.param(m, id=f"{Path(m.file).stem}-{i}") for i, m in enumerate(MUTATIONS)],
    indirect=True,
)
def test_mistake_is_noticed(tree: Path, mutant: Mutation) -> None:
    if mutant.equivalent:
        return  # it is enough that it applies
    result = run(tree, "--exitfirst", mutant.killer)
    assert result.returncode == pytest.ExitCode.TESTS_FAILED, f"{mutant}\n{result.stdout}"


def run(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run tests on the copy. Raises TimeoutExpired where they hang."""
    return subprocess.run(
        [sys.executable, "-S", "-m", "pytest", "--quiet", *PLUGINS, *arguments],
        cwd=tree,
        env=os.environ | _environment(tree),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )


def _environment(tree: Path) -> dict[str, str]:
    """Import the copy, not what is installed for editing, which needs the module `site` (-S)."""
    paths = [str(tree), *(path for path in sys.path if path.endswith("site-packages"))]
    return {
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONDONTWRITEBYTECODE": "1",  # what is compiled may hide a change within the same second
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # three quarters of the time of a short test
    }


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, target, symlinks=True, ignore=ignored)
    else:
        shutil.copy(source, target)
