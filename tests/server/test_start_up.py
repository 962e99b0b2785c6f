"""A help is shown at once, and a server loads no library that it does not need."""

import subprocess
import sys

import pytest

LOADED = "import sys; print(*sys.modules, file=sys.stderr)"


def modules_after(code: str) -> set[str]:
    """Run code in a process of its own; return the modules that it has imported."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{LOADED}"], capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_a_help_needs_only_the_standard_library(option: str) -> None:
    run = "from contextlib import suppress\nfrom sterna.server.__main__ import main"
    loaded = modules_after(f"{run}\nwith suppress(SystemExit): main([{option!r}])")
    assert "sterna.server.commands.parser" in loaded
    ours = {name for name in loaded if name.startswith("sterna.server.")}
    assert ours <= {
        "sterna.server.__main__", "sterna.server.commands", "sterna.server.commands.parser"
    }  # fmt: skip
    assert not loaded & {"sterna.engine", "numpy", "pydantic", "fastapi", "asyncio"}


def test_a_server_loads_what_serves() -> None:
    """Not what downloads, measures or draws a bar, nor the reference's library."""
    loaded = modules_after("import sterna.server.commands.serve")
    assert {"fastapi", "tokenizers", "sterna.engine"} <= loaded
    assert not loaded & {
        "huggingface_hub", "httpx", "tqdm", "torch", "sterna.server.bench", "sterna.server.hub"
    }  # fmt: skip
