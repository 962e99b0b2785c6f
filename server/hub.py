"""Downloads from the Hugging Face hub. Imported only when needed, because its library is large."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from huggingface_hub import constants, model_info, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import get_session  # type: ignore[attr-defined]

from sterna.engine import CheckpointError

_log = logging.getLogger(__name__)

FILES = ["*.json", "*.safetensors", "*.jinja"]  # the files of a repository that Sterna uses
_SHARD: Final = re.compile(r"-00001-of-(\d{5})\.gguf$")
_LATER_SHARD: Final = re.compile(r"-(?!00001)\d{5}-of-\d{5}\.gguf$")
TIMEOUT_SECONDS = 5.0  # to find out whether the hub can be reached


def download(model: str, revision: str | None = None) -> Path:
    """Download a model. Returns its folder, or its GGUF file; raises CheckpointError.

    model: OWNER/REPO, or with the quantization or the name of one of its GGUF files behind a colon.
    Shows a progress bar; HF_HOME is respected.
    """
    with _told_in_one_line(model, revision):
        files = _Files(model, revision)
        name = files.chosen_gguf()
        return files.download(FILES) if name is None else files.download_gguf(name)


def download_file(model: str, file: str, revision: str | None = None) -> Path | None:
    """Download one file, to look at it first. Returns its folder; raises CheckpointError.

    None: the model is a GGUF file, which says nothing before all of it is there.
    """
    with _told_in_one_line(model, revision):
        files = _Files(model, revision)
        return files.download([file]) / file if files.chosen_gguf() is None else None


@contextmanager
def _told_in_one_line(model: str, revision: str | None) -> Iterator[None]:
    try:
        yield
        return
    except GatedRepoError:
        reason = "access is restricted; request it on huggingface.co, then run `hf auth login`"
    except RevisionNotFoundError:
        reason = f"no such revision on the Hugging Face hub: {revision}"
    except RepositoryNotFoundError:
        reason = "no such folder, and no such model on the Hugging Face hub"
    except LocalEntryNotFoundError:
        reason = "no such folder, and the Hugging Face hub cannot be reached"
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        reason = f"download failed: {' '.join(str(error).split())}"
    raise CheckpointError(f"{model}: {reason}")


class _Files:
    """The files of one repository; offline, those that are in the cache."""

    def __init__(self, model: str, revision: str | None) -> None:
        self._model, self._revision = model, revision
        self._repo, _, self._which = model.partition(":")
        self._offline = not is_reachable()

    def download(self, patterns: Sequence[str]) -> Path:
        """Download the files that match any of the patterns. Returns their folder."""
        return Path(
            snapshot_download(
                self._repo,
                revision=self._revision,
                allow_patterns=list(patterns),
                local_files_only=self._offline,
            )
        )

    def download_gguf(self, name: str) -> Path:
        """Download a GGUF file with all its shards, and what may lie beside it."""
        shards = _SHARD.sub(r"-*-of-\1.gguf", name)
        return self.download([shards, "tokenizer.json", "*.jinja"]) / name

    def chosen_gguf(self) -> str | None:
        """Return the GGUF file that is meant; None where the model is safetensors."""
        sizes = self._sizes()
        ggufs = {name: size for name, size in sizes.items() if name.endswith(".gguf")}
        has_others = any(name.endswith(".safetensors") for name in sizes)
        if not self._which and (has_others or not ggufs):
            return None
        first = {name: size for name, size in ggufs.items() if not _LATER_SHARD.search(name)}
        return choose(self._model, first)

    def _sizes(self) -> dict[str, int]:
        if self._offline:
            folder = self.download(["*"])
            return {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}
        info = model_info(self._repo, revision=self._revision, files_metadata=True)
        return {file.rfilename: file.size or 0 for file in info.siblings or []}


def choose(model: str, files: Mapping[str, int]) -> str:
    """Return the GGUF file that is meant, of those of a repository with their sizes in bytes.

    A quantization matches a part of the name between dots or dashes, whatever its case. Raises
    CheckpointError unless there is just one.
    """
    repo, _, which = model.partition(":")
    wanted = which.lower()
    found = [name for name in files if name == which] or [
        name for name in files if not which or wanted in re.split(r"[.-]", name.lower())
    ]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{name} ({size / 1e9:.2f} GB)" for name, size in sorted(files.items()))
    what = f"several GGUF files match {which or 'it'}" if found else f"no GGUF file matches {which}"
    raise CheckpointError(f"{model}: {what}; pass {repo}:FILE with one of: {listed or 'none'}")


def is_reachable() -> bool:
    """Tell whether the hub answers; if not, the library would retry for half a minute."""
    try:
        get_session().head(constants.ENDPOINT, timeout=TIMEOUT_SECONDS)
    except Exception as error:  # its HTTP library differs between versions
        _log.debug("the Hugging Face hub cannot be reached: %s", " ".join(str(error).split()))
        return False
    return True
