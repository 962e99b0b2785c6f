"""``sterna serve`` around a model that fails on demand: run as a process, with serve's options.

The text of a prompt says what happens to it: ``nan``; or to its batch: ``die``, ``hang``, ``slow``.
"""

import sys
import time
from collections.abc import Sequence
from typing import Any

from sterna.engine import AsyncEngine
from sterna.engine.requests.batch import BatchEntry, NotFinite, Outcome, Outcomes
from sterna.server import checkpoint
from sterna.server.__main__ import main
from tests.server.scripted import LIMIT_SECONDS, ScriptedModel, babbles, ids_of, make_engine


class FaultyModel(ScriptedModel):
    """Babbles, a step every 10 ms, or 300 if it is slow, until a prompt says otherwise."""

    def __init__(self) -> None:
        super().__init__(babbles())

    def run(self, batch: Sequence[BatchEntry]) -> list[Outcomes]:
        """Compute a step, or fail to."""
        deeds = {self._deed(entry) for entry in batch if entry.request.num_output_tokens >= 3}
        time.sleep(0.3 if "slow" in deeds else 0.01)
        if "die" in deeds:
            raise MemoryError("scripted")
        if "hang" in deeds:
            time.sleep(100 * LIMIT_SECONDS)
        return super().run(batch)

    def _sample(self, request: Any) -> Outcome:
        if request.num_output_tokens == 5 and b"nan" in self._prompt(request):
            return NotFinite()
        return super()._sample(request)

    def _deed(self, entry: BatchEntry) -> str:
        prompt = self._prompt(entry.request)
        return next((deed for deed in ("die", "hang", "slow") if deed.encode() in prompt), "")

    def _prompt(self, request: Any) -> bytes:
        ids = {ids_of(chr(code))[0]: code for code in range(97, 123)}
        return bytes(ids.get(i, 32) for i in request.token_ids[: request.num_prompt_tokens])


if __name__ == "__main__":
    checkpoint.check = lambda settings: None  # there are no weights, and so no config.json
    AsyncEngine.load = lambda config, progress=None: make_engine(FaultyModel())  # type: ignore
    sys.exit(main(["serve", *sys.argv[1:]]))
