"""Rules of the layout that import-linter can't say. The others are in pyproject.toml."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from sterna import engine

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRACTS = {
    contract["name"]: contract for contract in PROJECT["tool"]["importlinter"]["contracts"]
}
PURE = [
    name.removeprefix("sterna.engine.")
    for name in CONTRACTS["scheduling is pure Python"]["source_modules"]
]
ENVIRONMENT_READERS = {Path("server/settings.py"), Path("engine/kernels/backends.py")}
ISA_FILES = sorted(path.stem for path in (ROOT / "engine/kernels/csrc/isa").glob("*.cpp"))
PLAIN_C_HEADERS = {"immintrin.h", "math.h", "stddef.h", "stdint.h", "string.h"}


def modules(*packages: str) -> list[Path]:
    """All Python files of these packages, relative to the repository."""
    return [
        path.relative_to(ROOT) for name in packages for path in sorted((ROOT / name).rglob("*.py"))
    ]


def imports(path: Path) -> Iterator[str]:
    """Full names that a file imports: ``a.b`` for ``import a.b`` and for ``from a import b``."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_public_names_exist() -> None:
    """Ruff keeps them sorted."""
    assert all(hasattr(engine, name) for name in engine.__all__)


@pytest.mark.parametrize("path", modules("server"), ids=str)
def test_server_uses_only_public_names_of_engine(path: Path) -> None:
    allowed = {f"sterna.engine.{name}" for name in engine.__all__}
    assert {name for name in imports(path) if name.startswith("sterna.engine")} <= allowed


@pytest.mark.parametrize("name", PURE)
def test_scheduling_needs_only_the_standard_library(name: str) -> None:
    room = ROOT / "engine" / name
    for path in room.rglob("*.py") if room.is_dir() else [room.with_suffix(".py")]:
        for imported in imports(path):
            package, *rest = imported.split(".")
            assert package in sys.stdlib_module_names or (
                package == "sterna" and rest[0] == "engine" and rest[1] in PURE
            )


@pytest.mark.parametrize("path", modules("engine/kernels"), ids=str)
def test_kernels_import_nothing_else_of_ours(path: Path) -> None:
    for imported in imports(path):
        assert not imported.startswith("sterna.") or imported.startswith("sterna.engine.kernels")


def test_only_two_files_read_the_environment() -> None:
    reads = re.compile(r"\bos\.(environ|getenv)|from os import .*\b(environ|getenv)\b")
    readers = {
        path for path in modules("server", "engine") if reads.search((ROOT / path).read_text())
    }
    assert readers == ENVIRONMENT_READERS


@pytest.mark.parametrize("path", modules("server", "engine"), ids=str)
def test_no_module_keeps_state_or_hides_in_a_drawer(path: Path) -> None:
    assert path.stem not in {"utils", "util", "helpers", "misc"}
    tree = ast.parse((ROOT / path).read_text())
    assert not any(isinstance(node, ast.Global) for node in ast.walk(tree))


@pytest.mark.parametrize("name", ISA_FILES)
def test_isa_files_include_only_plain_c(name: str) -> None:
    """C++ headers compiled with ISA flags can leave illegal code in functions that others share."""
    folder = ROOT / "engine/kernels/csrc"
    pending, seen = [f"isa/{name}.cpp"], set[str]()
    while pending:
        text = (folder / pending.pop()).read_text()
        assert set(re.findall(r"#include <(.+)>", text)) <= PLAIN_C_HEADERS
        pending += set(re.findall(r'#include "(.+)"', text)) - seen
        seen |= set(pending)
    assert "namespace {" in (folder / f"isa/{name}.cpp").read_text()


def test_version_is_stated_once() -> None:
    project = PROJECT["project"]
    assert version("sterna") == project["version"]
    assert f"## [{project['version']}]" in (ROOT / "CHANGELOG.md").read_text()
