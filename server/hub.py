"""Downloads from the Hugging Face hub. Imported only when needed, because its library is large."""

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

FILES = ["*.json", "*.safetensors", "*.jinja"]  # the files of a repository that Sterna uses


def download(model: str, file: str | None = None) -> Path:
    """Download a model, or one file of it. Returns its folder; raises CheckpointError.

    Shows a progress bar; HF_HOME is respected.
    """
    try:
        if file is None:
            return Path(snapshot_download(model, allow_patterns=FILES))
        return Path(hf_hub_download(model, file)).parent
    except GatedRepoError:
        reason = "access is restricted; request it on huggingface.co, then run `hf auth login`"
    except RepositoryNotFoundError:
        reason = "no such folder, and no such model on the Hugging Face hub"
    except LocalEntryNotFoundError:
        reason = "no such folder, and the Hugging Face hub cannot be reached"
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        reason = f"download failed: {' '.join(str(error).split())}"
    raise CheckpointError(f"{model}: {reason}")
