"""What became of one request, for its line in the log: counts and times, never any text."""

from collections import Counter
from collections.abc import Sequence
from contextvars import ContextVar
from time import monotonic

from sterna.server.generation.text_delta import TextDelta


class RequestRecord:
    """Filled while a request is served; of a request that generates nothing it stays empty."""

    def __init__(self) -> None:
        self.model: str | None = None  # by the name that the client gave it
        self._arrived_at = monotonic()
        self._num_prompt_tokens = 0
        self._num_cached_tokens: dict[int, int] = {}  # by prompt
        self._num_choices = 1
        self._num_output_tokens = 0
        self._seconds_to_start: float | None = None
        self._seconds_to_first_token: float | None = None
        self._ends: Counter[str] = Counter()  # finish reasons
        self._num_open = 0
        self._energy: dict[str, object] = {}

    def begin(self, num_tokens: Sequence[int], num_choices: int) -> None:
        """Note the prompts that are about to be generated from, and how often each."""
        self._num_prompt_tokens = sum(num_tokens)
        self._num_choices = num_choices
        self._num_open = len(num_tokens) * num_choices

    def start(self, at: float) -> None:
        """Note when a sequence was in a batch for the first time, in monotonic seconds."""
        if self._seconds_to_start is None:
            self._seconds_to_start = at - self._arrived_at

    def add(self, delta: TextDelta) -> None:
        """Note what the client is about to get."""
        if self._seconds_to_first_token is None:
            self._seconds_to_first_token = monotonic() - self._arrived_at
        self._num_output_tokens += delta.num_tokens
        prompt, choice = divmod(delta.index, self._num_choices)
        if choice == 0:  # as in the usage: the others find what the first has put there
            self._num_cached_tokens[prompt] = delta.num_cached_tokens
        if delta.finish_reason:
            self._ends[delta.finish_reason] += 1
            self._num_open -= 1

    def end(self, reason: str) -> None:
        """Note why the sequences that have not finished will not: ``abort``, ``error``, ..."""
        if self._num_open:
            self._ends[reason] += self._num_open
            self._num_open = 0

    def charge(self, joules: float, source: str | None) -> None:
        """Note the request's share of the energy; source None: none is measured."""
        if source is not None:
            self._energy = {"energy_joules": round(joules, 6), "energy_source": source}

    def fields(self) -> dict[str, object]:
        """The fields of a log line. Times are in seconds, from the arrival of the request."""
        model = {} if self.model is None else {"model": self.model}
        if not self._ends:
            return dict(model)
        start, first = self._seconds_to_start, self._seconds_to_first_token
        return model | {
            "prompt_tokens": self._num_prompt_tokens,
            "cached_tokens": sum(self._num_cached_tokens.values()),
            "output_tokens": self._num_output_tokens,
            "queue_seconds": None if start is None else round(start, 4),
            "first_token_seconds": None if first is None else round(first, 4),
            "finish_reason": ",".join(sorted(self._ends)),
            **self._energy,
        }


current_record: ContextVar[RequestRecord | None] = ContextVar("current_record", default=None)
"""The record of the request that this task serves; tasks that it starts share it."""
