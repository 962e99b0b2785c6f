"""The text side of a GGUF file: its tokenizer and chat templates, from its own keys.

Files beside it win, as they are the model's own: tokenizer.json, and chat_template.jinja.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sterna.engine import CheckpointError, read_gguf_keys
from sterna.server.text.checkpoint_text import TEMPLATE_FILES, TOKENIZER_FILE, Part, read_text
from sterna.server.text.gguf_tokenizer import build_tokenizer

_TEMPLATE: Final = "tokenizer.chat_template"
_SPECIAL: Final = ("bos", "eos", "eot", "unknown", "padding")


class GgufText:
    """See ``CheckpointText``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def place_of(self, part: Part) -> str:
        """The file, and the key in it."""
        return f"{self._path}: {part}"

    def tokenizer_json(self) -> str:
        """See ``CheckpointText``."""
        beside = self._path.with_name(TOKENIZER_FILE)
        if beside.is_file():
            return read_text(beside, "a tokenizer")
        try:
            return build_tokenizer(self._keys()).to_str()
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{self.place_of('tokenizer')}: {error}") from None

    def special_tokens(self) -> dict[str, str]:
        """Those that the keys name by their ids."""
        keys = self._keys()
        tokens = keys.get("tokenizer.ggml.tokens", [])
        ids = {name: keys.get(f"tokenizer.ggml.{name}_token_id") for name in _SPECIAL}
        return {
            f"{name}_token": tokens[token_id]
            for name, token_id in ids.items()
            if isinstance(token_id, int) and 0 <= token_id < len(tokens)
        }

    def chat_templates(self) -> dict[str, object]:
        """The template of the keys, those with names, and a file beside it."""
        keys, prefix = self._keys(), f"{_TEMPLATE}."
        templates = {
            key.removeprefix(prefix): value for key, value in keys.items() if key.startswith(prefix)
        }
        if _TEMPLATE in keys:
            templates["default"] = keys[_TEMPLATE]
        beside = self._path.with_name(TEMPLATE_FILES["default"])
        if beside.is_file():
            templates["default"] = read_text(beside, "a chat template")
        return templates

    def generation_config(self) -> dict[str, Any]:
        """Nothing: no key says how to sample."""
        return {}

    def _keys(self) -> Mapping[str, Any]:
        return read_gguf_keys(self._path)
