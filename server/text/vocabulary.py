"""What single tokens stand for: their bytes, and a text that can be shown.

A token may be a part of a character, so its bytes are the truth; decoding it alone would lose
them. Only for logprobs and ``/tokenize``: the text of an answer comes from the detokenizer.
"""

import json
from collections.abc import Collection, Iterator
from typing import Any, Final

from tokenizers import Tokenizer as Encoder

WORD_START: Final = "\u2581"  # how tokenizers of the SentencePiece family write a space


def _byte_of_each_character() -> dict[str, int]:
    """How byte-level tokenizers write a byte: as itself if that can be seen, else past 255."""
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(0x100) if byte not in shown]
    return {chr(byte): byte for byte in shown} | {chr(0x100 + i): b for i, b in enumerate(hidden)}


class Vocabulary:
    """The tokens of one checkpoint. Ids beyond the tokenizer's have no bytes."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._added = {i: str(t.content) for i, t in encoder.get_added_tokens_decoder().items()}
        kinds = set(_decoders(encoder))
        self._bytes_of_character = _byte_of_each_character() if "ByteLevel" in kinds else None
        self._has_byte_tokens = "ByteFallback" in kinds
        names = encoder.get_vocab(with_added_tokens=True)
        self.foreign_token = self._find_foreign(encoder.get_vocab(with_added_tokens=False))
        self.num_ids = 1 + max(names.values(), default=-1)
        self._longest = max((len(name.encode()) for name in names), default=0)
        added = encoder.get_added_tokens_decoder().values()
        self._keeps_all_text = (
            self._bytes_of_character is not None
            and encoder.normalizer is None
            and not any(token.lstrip or token.rstrip for token in added)
        )

    def _find_foreign(self, names: Collection[str]) -> str | None:
        """Return a token with characters that stand for no byte, if they all should."""
        if self._bytes_of_character is None:
            return None
        foreign = set("".join(names)) - self._bytes_of_character.keys()
        if not foreign:
            return None
        added = set(self._added.values())
        return next((name for name in names if name not in added and foreign & set(name)), None)

    def least_tokens(self, text: str) -> int:
        """How many tokens a text has at least, told at once; 0 if some of it might get lost."""
        return len(text.encode()) // self._longest if self._keeps_all_text else 0

    def name_of(self, token_id: int) -> str:
        """How the checkpoint's tokenizer writes it; empty for an id that is no token."""
        return str(self._encoder.id_to_token(token_id) or "")

    def bytes_of(self, token_id: int) -> bytes:
        """What the token adds to a text; of a special token, the bytes of its name."""
        if (content := self._added.get(token_id)) is not None:
            return content.encode()
        written = self.name_of(token_id)
        if self._bytes_of_character is not None:
            return bytes(map(self._bytes_of_character.__getitem__, written))
        if self._has_byte_tokens and len(written) == 6 and written.startswith("<0x"):
            return bytes.fromhex(written[3:5])
        return written.replace(WORD_START, " ").encode()

    def text_of(self, token_id: int) -> str:
        r"""The bytes as text; if that is no whole character, escaped: ``bytes:\xf0\x9f``."""
        data = self.bytes_of(token_id)
        try:
            return data.decode()
        except UnicodeDecodeError:
            return "bytes:" + "".join(f"\\x{byte:02x}" for byte in data)


def _decoders(encoder: Encoder) -> Iterator[str]:
    """Names of the steps by which the tokenizer makes text of tokens."""
    if encoder.decoder is None:
        return
    state: dict[str, Any] = json.loads(encoder.decoder.__getstate__())
    for step in state.get("decoders", [state]):
        yield step["type"]
