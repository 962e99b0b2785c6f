"""How much longer a tokenizer's normalizer can make a text: what it replaces is up to a checkpoint.

The standard forms of Unicode are not counted: they lengthen by a known factor, and rarely.
"""

import json
from base64 import b64decode
from collections.abc import Mapping
from typing import Any, Final

from tokenizers import Tokenizer as Encoder

MAX_CHARS: Final = 64 << 20  # of a normalized text; each takes some 20 bytes
UNICODE_GROWTH: Final = 18  # of the longest expansion in Unicode itself


def growth_of(encoder: Encoder) -> float:
    """Return by how much a text grows at most, as a factor; 1 if it does not."""
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
        case {"type": "Replace", "content": content}:  # a regex may match between any two
            return 1.0 + len(content)
        case {"type": "Prepend", "prepend": prefix}:
            return 1.0 + len(prefix)
        case {"type": "Precompiled", "precompiled_charsmap": str(table)}:
            return _growth_of_table(b64decode(table))
        case _:
            return 1.0


def _growth_of_table(table: bytes) -> float:
    """Of a table of SentencePiece: the length of its trie, the trie, then what it replaces by."""
    trie_bytes = int.from_bytes(table[:4], "little")
    longest = max(map(len, table[4 + trie_bytes :].split(b"\0")), default=1)
    return 1.0 if longest <= 3 * UNICODE_GROWTH else float(longest)  # in UTF-8
