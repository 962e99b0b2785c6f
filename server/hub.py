"""Downloads from the Hugging Face hub. Imported only when needed, because its library is large."""

import logging
from pathlib import Path

from huggingface_hub import constants, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import get_session  # type: ignore[attr-defined]

from sterna.engine import CheckpointError

_log = logging.getLogger(__name__)

FILES = ["*.json", "*.safetensors", "*.jinja"]  # the files of a repository that Sterna uses


TIMEOUT_SECONDS = 5.0  # to find out whether the hub can be reached


def download(model: str, file: str | None = None) -> Path:
    """Download a model, or one file of it. Returns its folder; raises CheckpointError.

    Shows a progress bar; HF_HOME is respected.
    """
    offline = not is_reachable()
    try:
        if file is None:
            return Path(snapshot_download(model, allow_patterns=FILES, local_files_only=offline))
        return Path(hf_hub_download(model, file, local_files_only=offline)).parent
    except GatedRepoError:
        reason = "access is restricted; request it on huggingface.co, then run `hf auth login`"
    except RepositoryNotFoundError:
        reason = "no such folder, and no such model on the Hugging Face hub"
    except LocalEntryNotFoundError:
        reason = "no such folder, and the Hugging Face hub cannot be reached"
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        reason = f"download failed: {' '.join(str(error).split())}"
    raise CheckpointError(f"{model}: {reason}")


def is_reachable() -> bool:
    """Tell whether the hub answers; if not, the library would retry for half a minute."""
    try:
        get_session().head(constants.ENDPOINT, timeout=TIMEOUT_SECONDS)
    except Exception as error:  # its HTTP library differs between versions
        _log.debug("the Hugging Face hub cannot be reached: %s", " ".join(str(error).split()))
        return False
    return True
