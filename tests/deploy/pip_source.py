"""How pip finds packages on this machine, handed to a build that runs in a container."""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

PLACES = ("index-url", "extra-index-url", "find-links")


def pip_settings() -> dict[str, str]:
    """Where pip looks, from its files and variables; variables win."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    pairs = (line.partition("=")[::2] for line in listed.splitlines())
    found = {key.rpartition(".")[2]: " ".join(shlex.split(value)) for key, value in pairs}
    return {key: found[key] for key in (*PLACES, "cert") if key in found}


def build_options(folder: Path) -> list[str]:
    """Options of ``podman build`` under which pip finds what it finds here, and its cache.

    They are mounts: nothing of them stays in the image. Writes a pip.conf into the folder.
    """
    settings = pip_settings()
    text = "".join(f"{key} = {value}\n" for key, value in settings.items())
    (folder / "pip.conf").write_text(f"[global]\n{text}")
    cache = subprocess.run(
        [sys.executable, "-m", "pip", "cache", "dir"], capture_output=True, text=True, check=True
    ).stdout.strip()
    paths = [path for key in PLACES for path in _folders(key, settings.get(key, ""))]
    certificates = [settings["cert"]] if "cert" in settings else []
    mounts = [f"{path}:{path}:ro" for path in _outermost([*paths, *certificates])]
    mounts.append(f"{folder}/pip.conf:/etc/pip.conf:ro")
    if Path(cache).is_dir():
        mounts.append(f"{cache}:/root/.cache/pip")
    return [option for mount in mounts for option in ("--volume", mount)]


def _folders(key: str, places: str) -> list[str]:
    local = (urlsplit(p).path for p in places.split() if p.startswith(("/", "file:")))
    # The files of an index lie beside its pages.
    return [path if key == "find-links" else str(Path(path).parent) for path in local]


def _outermost(paths: list[str]) -> list[str]:
    existing = sorted({os.path.realpath(path) for path in paths if Path(path).exists()})
    return [p for p in existing if not any(p.startswith(f"{other}/") for other in existing)]
