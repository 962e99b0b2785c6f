"""Text -> token ids with the checkpoint's own tokenizer, and back.

Blocking, and slow for long texts: the routes call ``encode`` in a thread.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Encoder

from sterna.engine import CheckpointError
from sterna.server.errors import InvalidRequestError
from sterna.server.text.chat_template import ChatTemplate, Message, special_tokens
from sterna.server.text.vocabulary import Vocabulary
from sterna.server.tools.use import Tool

TOKENIZER = "tokenizer.json"


class Tokenizer:
    """The tokenizer and the chat template of one checkpoint. Safe to use from several threads."""

    def __init__(
        self, encoder: Encoder, template: ChatTemplate | None, bos_token: str | None
    ) -> None:
        encoder.no_truncation()  # a tokenizer.json may ask for both; neither is for serving
        encoder.no_padding()
        self._encoder = encoder
        self.vocabulary = Vocabulary(encoder)
        self._template = template
        self._bos_token = bos_token

    @classmethod
    def load(cls, folder: Path) -> "Tokenizer":
        """Read tokenizer.json and tokenizer_config.json. Raises CheckpointError."""
        path = tokenizer_path(folder)
        try:
            encoder = Encoder.from_file(str(path))
        except Exception as error:  # tokenizers raises bare Exception
            raise CheckpointError(f"{path}: not a tokenizer: {_first_line(error)}") from None
        config = _read_config(folder / "tokenizer_config.json")
        template = ChatTemplate.load(folder, config)
        return cls(encoder, template, special_tokens(config).get("bos_token"))

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        """Ids of a prompt, with the special tokens that the tokenizer adds, such as one bos."""
        has_bos = self._bos_token is not None and text.startswith(self._bos_token)
        # Without offsets: three times as fast on a long text, and it keeps the GIL less.
        (encoding,) = self._encoder.encode_batch_fast(
            [text], add_special_tokens=add_special_tokens and not has_bos
        )
        ids: list[int] = encoding.ids
        return ids

    def encode_chat(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool] = (),
        *,
        add_generation_prompt: bool = True,
    ) -> list[int]:
        """Ids of a conversation, as ``render_chat`` writes it. Raises InvalidRequestError."""
        text = self.render_chat(messages, tools, add_generation_prompt=add_generation_prompt)
        return self.encode(text, add_special_tokens=False)

    def render_chat(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool] = (),
        *,
        add_generation_prompt: bool = True,
    ) -> str:
        """The text of a conversation, to be encoded with no special tokens but those it names.

        tools: what the model is shown.
        add_generation_prompt: end where the assistant speaks. Raises InvalidRequestError.
        """
        if self._template is None:
            message = "This model has no chat template; use /v1/completions."
            raise InvalidRequestError(message, param="messages", code="no_chat_template")
        return self._template.render(messages, tools, add_generation_prompt=add_generation_prompt)

    def decode(self, token_ids: list[int], *, skip_special_tokens: bool = True) -> str:
        """Text of ids; incomplete UTF-8 becomes U+FFFD, ids that are no token nothing."""
        return str(self._encoder.decode(token_ids, skip_special_tokens=skip_special_tokens))


def tokenizer_path(folder: Path) -> Path:
    """Where a checkpoint's tokenizer is. Raises CheckpointError if there is none."""
    path = folder / TOKENIZER
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file; a tokenizer is required to serve text")
    return path


def _read_config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        config = json.loads(path.read_text())
    except ValueError as error:
        raise CheckpointError(f"{path}: not valid JSON: {error}") from None
    if not isinstance(config, dict):
        raise CheckpointError(f"{path}: expected an object, found {type(config).__name__}")
    return config


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
