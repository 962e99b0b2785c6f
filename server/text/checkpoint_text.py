"""Where a checkpoint's text side comes from: tokenizer, special tokens, templates, defaults.

Nothing else reads these files. They are read when they are asked for, and not kept: the tokenizer
of a large model takes ten megabytes.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from sterna.engine import CheckpointError, read_regular

Part = Literal["tokenizer", "chat templates", "generation config"]
TOKENIZER_FILE: Final = "tokenizer.json"
FILES: Final[Mapping[Part, str]] = {
    "tokenizer": TOKENIZER_FILE,
    "chat templates": "",  # there are several
    "generation config": "generation_config.json",
}
TEMPLATE_FILES: Final = {
    "default": "chat_template.jinja",
    "tool_use": "additional_chat_templates/tool_use.jinja",
}


class CheckpointText(Protocol):
    """The text side of one checkpoint. All methods raise CheckpointError."""

    def tokenizer_json(self) -> str:
        """Return the tokenizer in the form of tokenizer.json."""

    def special_tokens(self) -> Mapping[str, str]:
        """Return ``bos_token`` and the like, as far as they have names."""

    def chat_templates(self) -> Mapping[str, object]:
        """Return jinja templates by name: ``default``, and perhaps ``tool_use``."""

    def generation_config(self) -> Mapping[str, Any]:
        """Return the sampling defaults by their names in generation_config.json."""

    def place_of(self, part: Part) -> str:
        """Return how an error names the place where this part is stated."""


class FolderText:
    """That of a folder in Hugging Face form: only tokenizer.json must be there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place_of(self, part: Part) -> str:
        """The file, or the folder where there may be several."""
        return str(self._folder / FILES[part])

    def check(self) -> None:
        """Raise CheckpointError unless there is a tokenizer. Does not read it."""
        if not Path(self.place_of("tokenizer")).exists():
            raise CheckpointError(
                f"{self.place_of('tokenizer')}: no such file; a tokenizer is required to serve text"
            )

    def tokenizer_json(self) -> str:
        """See ``CheckpointText``."""
        self.check()
        return read_text(Path(self.place_of("tokenizer")), "a tokenizer")

    def special_tokens(self) -> dict[str, str]:
        """Those that tokenizer_config.json names."""
        config = self._tokenizer_config()
        found = {name: value for name, value in config.items() if name.endswith("_token")}
        texts = {name: v.get("content") if isinstance(v, dict) else v for name, v in found.items()}
        return {name: text for name, text in texts.items() if isinstance(text, str)}

    def chat_templates(self) -> dict[str, object]:
        """As ``transformers`` finds them: files win over tokenizer_config.json."""
        paths = {name: self._folder / path for name, path in TEMPLATE_FILES.items()}
        files = {
            name: read_text(path, "a chat template")
            for name, path in paths.items()
            if path.exists()
        }
        return self._stated_templates() | files

    def generation_config(self) -> dict[str, Any]:
        """See ``CheckpointText``."""
        return _read_object(Path(self.place_of("generation config")))

    def _tokenizer_config(self) -> dict[str, Any]:
        return _read_object(self._folder / "tokenizer_config.json")

    def _stated_templates(self) -> dict[str, object]:
        stated = self._tokenizer_config().get("chat_template")
        if not isinstance(stated, list):
            return {} if stated is None else {"default": stated}
        try:  # the older form: several templates with names
            return {entry["name"]: entry["template"] for entry in stated}
        except (LookupError, TypeError) as error:
            reason = f"the chat template does not compile: {error}"
            raise CheckpointError(f"{self._folder}: {reason}") from None


def _read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object; one that is not there is empty. Raises CheckpointError."""
    if not path.exists():
        return {}
    try:
        stated = json.loads(read_text(path, "valid JSON"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not valid JSON: {error}") from None
    if not isinstance(stated, dict):
        raise CheckpointError(f"{path}: expected an object, found {type(stated).__name__}")
    return stated


def read_text(path: Path, kind: str) -> str:
    """Read a regular file in UTF-8, whatever the locale. Raises CheckpointError."""
    try:
        return read_regular(path).decode()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path}: not {kind}: {error}") from None
