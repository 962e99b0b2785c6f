"""What an answer is: all that one API makes of the text of one job."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from pydantic import BaseModel

from sterna.server.generation.text_delta import TextDelta


class Answer(Protocol):
    """One response: either ``whole``, or ``chunks`` of each delta and then ``last_chunks``."""

    def whole(self, texts: Sequence[TextDelta]) -> BaseModel:
        """The body: ``texts`` has all of each sequence, in order."""

    def chunks(self, delta: TextDelta) -> Iterable[BaseModel]:
        """What a stream says because of a delta."""

    def last_chunks(self) -> Iterable[BaseModel]:
        """What it says once all sequences have ended and their energy is known."""
