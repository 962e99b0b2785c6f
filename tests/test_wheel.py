"""What `pip install sterna` gives, in a virtual environment outside this repository.

It is used in a folder whose files have the names of our packages: a user's own win no import.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import httpx
import pytest

from tests.deploy.sterna_process import free_port, started

pytestmark = pytest.mark.wheel

ROOT = Path(__file__).parents[1]
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
BUILD = ["scripts/with_compiler.sh", sys.executable, *PIP, "wheel"]
BUILD += ["--no-build-isolation", "--no-deps", "--wheel-dir"]
SDIST = "import sys; from scikit_build_core.build import build_sdist; build_sdist(sys.argv[1])"
MAX_BYTES = 200_000_000  # of the virtual environment, without pip
HOSTILE = "raise AssertionError('imported from the current folder')"


def build(folder: Path, source: Path) -> Path:
    """Build a wheel into an empty folder."""
    subprocess.run([*BUILD, str(folder), str(source)], cwd=ROOT, check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the source distribution, as pip does where no wheel fits."""
    folder = tmp_path_factory.mktemp("sdist")
    subprocess.run([sys.executable, "-c", SDIST, str(folder)], cwd=ROOT, check=True)
    (sdist,) = folder.glob("*.tar.gz")
    return build(tmp_path_factory.mktemp("wheel"), sdist)


@pytest.fixture(scope="module")
def scripts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands of a fresh virtual environment are."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    install = [*PIP, f"--python={folder}", "install", "--constraint=constraints.txt", str(wheel)]
    subprocess.run(install, cwd=ROOT, check=True)
    return folder / "bin"


@pytest.fixture
def hostile_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Become the user of a folder that knows our old names."""
    for name in ("server.py", "engine/__init__.py", "engine/config.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(HOSTILE)
    monkeypatch.chdir(tmp_path)


def names(wheel: Path) -> list[str]:
    with ZipFile(wheel) as archive:
        return sorted(archive.namelist())


def test_one_name_is_claimed(wheel: Path, scripts: Path) -> None:
    metadata = "-".join(wheel.name.split("-")[:2]) + ".dist-info"
    assert {name.split("/")[0] for name in names(wheel)} == {"sterna", metadata}
    (record,) = scripts.parent.glob(f"lib/python*/site-packages/{metadata}/RECORD")
    paths = {line.split(",")[0] for line in record.read_text().splitlines()}
    others = {path for path in paths if path.split("/")[0] not in {"sterna", metadata}}
    assert others == {"../../../bin/sterna"}


def test_the_checkout_gives_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    assert names(build(tmp_path, ROOT)) == names(wheel)


def test_what_serving_does_not_need_is_not_installed(scripts: Path) -> None:
    (packages,) = scripts.parent.glob("lib/python*/site-packages")
    found = {path.name for path in packages.iterdir()}
    assert not found & {"torch", "safetensors", "cmake", "nanobind", "scikit_build_core"}
    sizes = (path.lstat().st_size for path in scripts.parent.rglob("*"))
    assert sum(sizes) < MAX_BYTES


@pytest.mark.parametrize("command", [["sterna"], ["python", "-m", "sterna"]], ids=" ".join)
@pytest.mark.usefixtures("hostile_folder")
def test_help_is_printed(scripts: Path, command: list[str]) -> None:
    line = [str(scripts / command[0]), *command[1:], "--help"]
    printed = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    assert printed.startswith("usage: sterna")


@pytest.fixture
def url(scripts: Path, hostile_folder: None) -> Iterator[str]:
    """The built-in model, served where the hostile files are."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [f"{scripts}/sterna", "serve", f"--port={port}", "--cache-dir=cache"]
    command += ["--threads=1", "--kv-cache-tokens=4096"]
    with started(command, f"{url}/health/ready") as process:
        yield url
        process.terminate()
        assert process.wait() == 0


def test_the_page_comes_with_its_libraries(url: str) -> None:
    for name in ("app.js", "vendor/marked.esm.js", "vendor/purify.es.mjs"):
        httpx.get(f"{url}/page/{name}", timeout=60).raise_for_status()


def test_a_chat_is_answered(url: str) -> None:
    body = {
        "model": "sterna-builtin",
        "messages": [{"role": "user", "content": "Tell me a story about a fox."}],
        "max_tokens": 8,
    }
    answer = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=300).raise_for_status()
    assert answer.json()["choices"][0]["message"]["content"]
