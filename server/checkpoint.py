"""Finds MODEL (built-in, folder or Hugging Face id) and a name for it."""

import re
from pathlib import Path

from sterna.engine import CheckpointError, context_tokens, read_model_config
from sterna.server.settings import Settings
from sterna.server.text.checkpoint_text import TOKENIZER_FILE, FolderText

BUILTIN_FOLDER = Path(__file__).parent / "builtin_model"
BUILTIN_NAME = "sterna-builtin"
HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*(:[\w.-]+)?")
CONFIG = "config.json"


def check(settings: Settings) -> None:
    """Raise CheckpointError if the model cannot be found or is not supported.

    Raises SettingError if a longer context is asked for than it has.

    Reads config.json, and looks for a tokenizer; of a hub id, downloads these two and no more. Of a
    GGUF file on the hub, checks only that it is there.
    """
    path = _locate(settings, CONFIG)
    if path is None:
        return
    context_tokens(settings.max_context_tokens, read_model_config(path).max_context_tokens)
    path = _locate(settings, TOKENIZER_FILE)
    if path is not None and path.is_dir():
        FolderText(path).check()


def resolve(settings: Settings) -> Settings:
    """Return the settings with the model as a path, and at least one name for it.

    May download, with a progress bar; HF_HOME is respected. Raises CheckpointError.
    """
    path = _locate(settings)
    names = settings.served_model_name or (_name(settings.model),)
    return settings.model_copy(update={"model": str(path), "served_model_name": names})


def _name(model: str | None) -> str:
    if not model:
        return BUILTIN_NAME
    path = _expanded(model)
    if path.is_dir():
        return path.resolve().name
    return path.stem if path.is_file() else model


def _locate(settings: Settings, file: str | None = None) -> Path | None:
    """Find the folder or GGUF file. Of a hub id, downloads all that is needed, or one file.

    None: one file was asked for, but the hub id is that of a GGUF file.
    """
    model = settings.model
    if not model:
        return _builtin()
    path = _expanded(model)
    if path.is_dir() or path.is_file():
        return path
    if not HUB_ID.fullmatch(model):
        raise CheckpointError(
            f"{model}: no such folder, and not a Hugging Face id (OWNER/REPO or OWNER/REPO:QUANT)"
        )
    from sterna.server import hub  # noqa: PLC0415 (its library takes long to load)

    if file is None:
        return hub.download(model, settings.revision)
    found = hub.download_file(model, file, settings.revision)
    return None if found is None else found.parent


def _expanded(model: str) -> Path:
    try:
        return Path(model).expanduser()
    except RuntimeError as error:  # there is no such user, or no home
        raise CheckpointError(f"{model}: {error}") from None


def _builtin() -> Path:
    if not BUILTIN_FOLDER.is_dir():
        raise CheckpointError(
            f"{BUILTIN_FOLDER}: the built-in model is missing; pass another MODEL"
        )
    return BUILTIN_FOLDER
