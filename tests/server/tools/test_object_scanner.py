"""An object ends at its own last brace, wherever its text is cut."""

import pytest

from sterna.server.tools.parser import ObjectScanner

OBJECT = r'{"a}": [{"b\\": "}{"}, "\"}]"], "c": {}}'


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_what_follows_is_no_part_of_it(size: int) -> None:
    scanner, taken = ObjectScanner(), ""
    text = OBJECT + "} and more"
    for begin in range(0, len(text), size):
        piece = text[begin : begin + size]
        taken += piece[: scanner.take(piece)]
        if scanner.is_complete:
            break
    assert taken == OBJECT


def test_a_part_is_not_complete() -> None:
    scanner = ObjectScanner()
    assert scanner.take(OBJECT[:-1]) == len(OBJECT) - 1
    assert not scanner.is_complete
