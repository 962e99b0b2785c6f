"""A reader takes at most one delta for each sequence, and errors after what came before them."""

import pytest

from sterna.engine import GenerationError
from sterna.server.generation.outbox import Outbox
from sterna.server.generation.text_delta import TextDelta


def delta(index: int, text: str, end: bool = False) -> TextDelta:
    return TextDelta(index, text, 1, 0, "stop" if end else None)


async def test_what_is_not_taken_is_merged() -> None:
    outbox = Outbox(2)
    outbox.put(delta(0, "a"))
    outbox.put(delta(1, "x"))
    outbox.put(delta(0, "b", end=True))
    assert await outbox.take() == [TextDelta(0, "ab", 2, 0, "stop"), TextDelta(1, "x", 1, 0, None)]
    outbox.put(delta(1, "y", end=True))
    assert await outbox.take() == [TextDelta(1, "y", 1, 0, "stop")]
    assert await outbox.take() == []


async def test_an_error_comes_after_what_came_before_it() -> None:
    outbox = Outbox(1)
    outbox.put(delta(0, "a"))
    outbox.fail(GenerationError("not finite"))
    assert [d.text for d in await outbox.take()] == ["a"]
    with pytest.raises(GenerationError):
        await outbox.take()
