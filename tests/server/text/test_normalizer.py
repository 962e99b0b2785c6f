"""What the usual normalizers do to a text is let through; what only a hostile one does is told."""

from base64 import b64encode

import pytest
from tokenizers import Regex, Tokenizer, models, normalizers

from sterna.server.text.normalizer import UNICODE_GROWTH, growth_of


def encoder(normalizer: normalizers.Normalizer | None) -> Tokenizer:
    made = Tokenizer(models.BPE())
    if normalizer is not None:
        made.normalizer = normalizer
    return made


@pytest.mark.parametrize(
    ("normalizer", "growth"),
    [
        (None, 1),
        (normalizers.NFC(), 1),
        (normalizers.Lowercase(), 1),
        (normalizers.Replace(" ", "\u2581"), 1),
        (normalizers.Sequence([normalizers.Prepend("_"), normalizers.Replace(" ", "_")]), 2),
        (normalizers.Replace("ab", "c" * 10), 5),
        (normalizers.Replace("abc", ""), 1),
        (normalizers.Replace(Regex("a*"), "bc"), 3),
        (normalizers.Sequence([normalizers.Replace("a", "b" * 9)] * 3), 9**3),
    ],
)
def test_growth(normalizer: normalizers.Normalizer | None, growth: float) -> None:
    assert growth_of(encoder(normalizer)) == growth


class Stated:
    """A normalizer as tokenizer.json states it."""

    def __init__(self, state: bytes) -> None:
        self._state = state

    def __getstate__(self) -> bytes:
        return self._state


@pytest.mark.parametrize(("longest", "growth"), [(1, 1), (3 * UNICODE_GROWTH, 1), (999, 999)])
def test_growth_of_a_table(longest: int, growth: float) -> None:
    table = (8).to_bytes(4, "little") + bytes(8) + b"a\0" + b"x" * longest + b"\0b\0"
    state = f'{{"type": "Precompiled", "precompiled_charsmap": "{b64encode(table).decode()}"}}'

    class Encoder:
        normalizer = Stated(state.encode())

    assert growth_of(Encoder()) == growth  # type: ignore[arg-type]
