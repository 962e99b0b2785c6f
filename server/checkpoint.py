"""Finds MODEL (built-in, folder or Hugging Face id) and a name for it."""

import re
from pathlib import Path

from sterna.engine import CheckpointError, context_tokens, read_model_config
from sterna.server.settings import Settings
from sterna.server.text.checkpoint_text import TOKENIZER_FILE, FolderText

BUILTIN_FOLDER = Path(__file__).parent / "builtin_model"
BUILTIN_NAME = "sterna-builtin"
HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
CONFIG = "config.json"


def check(settings: Settings) -> None:
    """Raise CheckpointError if the model cannot be found or is not supported.

    Raises SettingError if a longer context is asked for than it has.

    Reads config.json, and looks for a tokenizer; of a hub id, downloads these two and no more.
    """
    folder, _ = _locate(settings.model, CONFIG)
    context_tokens(settings.max_context_tokens, read_model_config(folder).max_context_tokens)
    folder, _ = _locate(settings.model, TOKENIZER_FILE)
    if folder.is_dir():
        FolderText(folder).check()


def resolve(settings: Settings) -> Settings:
    """Return the settings with the model as a folder, and at least one name for it.

    May download, with a progress bar; HF_HOME is respected. Raises CheckpointError.
    """
    folder, name = _locate(settings.model)
    names = settings.served_model_name or (name,)
    return settings.model_copy(update={"model": str(folder), "served_model_name": names})


def _locate(model: str | None, file: str | None = None) -> tuple[Path, str]:
    """Find folder and name. Of a hub id, downloads all that is needed, or one file."""
    if not model:
        return _builtin(), BUILTIN_NAME
    folder = _expanded(model)
    if folder.is_dir():
        return folder, folder.resolve().name
    if folder.is_file():
        return folder, folder.stem
    if not HUB_ID.fullmatch(model):
        raise CheckpointError(f"{model}: no such folder, and not a Hugging Face id (owner/name)")
    from sterna.server import hub  # noqa: PLC0415 (its library takes long to load)

    return hub.download(model, file), model


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
