"""Downloads from the Hugging Face hub. Imported for hub ids only: its library is large."""

from pathlib import Path

from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

from sterna.engine import CheckpointError

FILES = ["*.json", "*.safetensors", "*.jinja"]  # of a repository; the rest is not for us


def download(model: str, file: str | None = None) -> Path:
    """Fetch a model, or one file of it. Returns its folder; raises CheckpointError.

    Shows a progress bar; HF_HOME is respected.
    """
    try:
        if file is None:
            return Path(snapshot_download(model, allow_patterns=FILES))
        return Path(hf_hub_download(model, file)).parent
    except GatedRepoError:
        reason = "access is restricted; ask for it on the hub, then log in with `hf auth login`"
    except RepositoryNotFoundError:
        reason = "no such folder here, and no such model on the hub"
    except LocalEntryNotFoundError:
        reason = "no such folder here, and the hub cannot be reached"
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        reason = f"download failed: {' '.join(str(error).split())}"
    raise CheckpointError(f"{model}: {reason}")
