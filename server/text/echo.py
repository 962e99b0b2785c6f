"""A prompt as an answer repeats it: ``echo`` of ``/v1/completions``."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Self

from sterna.server.text.detokenizer import Decode, Detokenizer


@dataclass(frozen=True, slots=True)
class Echo:
    """The text of a prompt, and where in it each token begins, in characters."""

    text: str
    text_offsets: Sequence[int]

    @classmethod
    def of(cls, token_ids: Sequence[int], decode: Decode, text: str | None = None) -> Self:
        """The echo of a prompt that was given as ``text``, or (None) as these token ids.

        Half a character at the end is left to the answer, which may complete it.
        """
        detokenizer = Detokenizer(decode)
        pieces = [detokenizer.push(token_id) for token_id in token_ids]
        text = "".join(pieces) if text is None else text
        ends = accumulate(map(len, pieces), initial=0)
        return cls(text, [min(end, len(text)) for _, end in zip(token_ids, ends, strict=False)])
