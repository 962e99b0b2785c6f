"""Token counts of one job so far."""

from collections.abc import Sequence

from sterna.server.generation.text_delta import TextDelta


class TokenTally:
    """Adds up the tokens of a job's deltas. A prompt counts once, for any number of choices."""

    def __init__(self, prompt_lengths: Sequence[int] = (), num_choices: int = 1) -> None:
        self.num_prompt = sum(prompt_lengths)
        self.num_generated = 0
        self._num_choices = num_choices
        self._num_cached: dict[int, int] = {}  # of each prompt

    @property
    def num_cached(self) -> int:
        """Number of prompt tokens found in the cache."""
        return sum(self._num_cached.values())

    def add(self, delta: TextDelta) -> None:
        """Add a delta."""
        self.num_generated += delta.num_tokens
        prompt, choice = divmod(delta.index, self._num_choices)
        if choice == 0:  # the others find in the cache what the first has put there
            self._num_cached[prompt] = delta.num_cached_tokens
