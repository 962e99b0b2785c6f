"""MODEL, whatever form it was given in -> a local checkpoint folder, and a name for it."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

from sterna.engine import CheckpointError, read_model_config
from sterna.server.settings import Settings
from sterna.server.text.checkpoint_text import FILES as TEXT_FILES
from sterna.server.text.checkpoint_text import FolderText

BUILTIN_FOLDER = Path(__file__).parent / "builtin_model"
BUILTIN_NAME = "sterna-builtin"
HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
CONFIG = "config.json"
FILES = ["*.json", "*.safetensors", "*.jinja"]  # of a repository; the rest is not for us


def check(settings: Settings) -> None:
    """Raise CheckpointError if the model is not to be found, or is none that can be served.

    Reads config.json, and looks for a tokenizer; of a hub id, downloads these two and no more.
    """
    folder, _ = _locate(settings.model, partial(_download_beside, CONFIG))
    read_model_config(folder)
    folder, _ = _locate(settings.model, partial(_download_beside, TEXT_FILES["tokenizer"]))
    FolderText(folder).check()


def resolve(settings: Settings) -> Settings:
    """The same settings with the model as a folder, and at least one name to serve it under.

    May download, with a progress bar; HF_HOME is respected. Raises CheckpointError.
    """
    folder, name = _locate(
        settings.model, lambda model: Path(snapshot_download(model, allow_patterns=FILES))
    )
    names = settings.served_model_name or (name,)
    return settings.model_copy(update={"model": str(folder), "served_model_name": names})


def _locate(model: str | None, download: Callable[[str], Path]) -> tuple[Path, str]:
    if not model:
        return _builtin(), BUILTIN_NAME
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder, folder.resolve().name
    if folder.exists():
        raise CheckpointError(f"{model}: found a file, expected a checkpoint's folder")
    if not HUB_ID.fullmatch(model):
        raise CheckpointError(f"{model}: no such folder, and not the form of a hub id (owner/name)")
    return _downloaded(model, download), model


def _builtin() -> Path:
    if not BUILTIN_FOLDER.is_dir():
        raise CheckpointError(f"{BUILTIN_FOLDER}: the built-in model is missing, name another")
    return BUILTIN_FOLDER


def _download_beside(name: str, model: str) -> Path:
    """Fetch one file of a repository; the folder that it is in."""
    return Path(hf_hub_download(model, name)).parent


def _downloaded(model: str, download: Callable[[str], Path]) -> Path:
    try:
        return download(model)
    except GatedRepoError:
        reason = "access is restricted; ask for it on the hub, then log in with `hf auth login`"
    except RepositoryNotFoundError:
        reason = "no such folder here, and no such model on the hub"
    except LocalEntryNotFoundError:
        reason = "no such folder here, and the hub cannot be reached"
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        reason = f"download failed: {' '.join(str(error).split())}"
    raise CheckpointError(f"{model}: {reason}")
