"""MODEL, whatever form it was given in -> a local checkpoint folder, and a name for it."""

import re
from pathlib import Path

from sterna.engine import CheckpointError, read_model_config
from sterna.server.settings import Settings
from sterna.server.text.checkpoint_text import TOKENIZER_FILE, FolderText

BUILTIN_FOLDER = Path(__file__).parent / "builtin_model"
BUILTIN_NAME = "sterna-builtin"
HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
CONFIG = "config.json"


def check(settings: Settings) -> None:
    """Raise CheckpointError if the model is not to be found, or is none that can be served.

    Reads config.json, and looks for a tokenizer; of a hub id, downloads these two and no more.
    """
    folder, _ = _locate(settings.model, CONFIG)
    read_model_config(folder)
    folder, _ = _locate(settings.model, TOKENIZER_FILE)
    FolderText(folder).check()


def resolve(settings: Settings) -> Settings:
    """The same settings with the model as a folder, and at least one name to serve it under.

    May download, with a progress bar; HF_HOME is respected. Raises CheckpointError.
    """
    folder, name = _locate(settings.model)
    names = settings.served_model_name or (name,)
    return settings.model_copy(update={"model": str(folder), "served_model_name": names})


def _locate(model: str | None, file: str | None = None) -> tuple[Path, str]:
    """Find folder and name. Of a hub id, downloads all that is needed, or one file."""
    if not model:
        return _builtin(), BUILTIN_NAME
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder, folder.resolve().name
    if folder.exists():
        raise CheckpointError(f"{model}: found a file, expected a checkpoint's folder")
    if not HUB_ID.fullmatch(model):
        raise CheckpointError(f"{model}: no such folder, and not the form of a hub id (owner/name)")
    from sterna.server import hub  # noqa: PLC0415 (its library takes long to load)

    return hub.download(model, file), model


def _builtin() -> Path:
    if not BUILTIN_FOLDER.is_dir():
        raise CheckpointError(f"{BUILTIN_FOLDER}: the built-in model is missing, name another")
    return BUILTIN_FOLDER
