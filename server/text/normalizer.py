"""How much a tokenizer's normalizer can lengthen a text, which the checkpoint decides.

Unicode's normal forms are not counted: they rarely lengthen a text, and by a known factor.
"""

import json
from base64 import b64decode
from collections.abc import Mapping
from typing import Any, Final

from tokenizers import Tokenizer as Encoder

MAX_CHARS: Final = 64 << 20  # of a normalized text, at about 20 bytes each
UNICODE_GROWTH: Final = 18  # of the longest expansion in Unicode itself


def growth_of(encoder: Encoder) -> float:
    """Return the largest factor by which a text can grow, at least 1."""
    if encoder.normalizer is None:
        return 1.0
    return _growth(json.loads(encoder.normalizer.__getstate__()))


def _growth(step: Mapping[str, Any]) -> float:
    match step:
        case {"type": "Sequence", "normalizers": steps}:
            factor = 1.0
            for each in steps:
                factor *= _growth(each)
            return factor
        case {"type": "Replace", "pattern": {"String": str(pattern)}, "content": content}:
            return max(1.0, len(content) / max(len(pattern), 1))
        case {
            "type": "Replace",
            "content": content,
        }:  # may match between any two
            return 1.0 + len(content)
        case {"type": "Prepend", "prepend": prefix}:
            return 1.0 + len(prefix)
        case {"type": "Precompiled", "precompiled_charsmap": str(table)}:
            return _growth_of_table(b64decode(table))
        case _:
            return 1.0


def _growth_of_table(table: bytes) -> float:
    """Read SentencePiece's table: the length of the trie, the trie, then the replacements."""
    trie_bytes = int.from_bytes(table[:4], "little")
    longest = max(map(len, table[4 + trie_bytes :].split(b"\0")), default=1)
    return 1.0 if longest <= 3 * UNICODE_GROWTH else float(longest)  # in UTF-8
