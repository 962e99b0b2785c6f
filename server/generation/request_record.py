"""The record of one request for its log line: counts and times, never text."""

from collections import Counter
from contextvars import ContextVar
from time import monotonic

from sterna.server.generation.job import GenerationJob
from sterna.server.generation.text_delta import TextDelta
from sterna.server.generation.token_tally import TokenTally


class RequestRecord:
    """Filled while a request is served; stays empty if the request generates nothing."""

    def __init__(self) -> None:
        self.model: str | None = None  # by the name that the client gave it
        self._arrived_at = monotonic()
        self._tally = TokenTally()
        self._seconds_to_start: float | None = None
        self._seconds_to_first_token: float | None = None
        self._ends: Counter[str] = Counter()  # finish reasons
        self._num_open = 0
        self._energy: dict[str, object] = {}

    def begin(self, job: GenerationJob) -> None:
        """Record what is going to be generated."""
        self._tally = TokenTally(job.prompt_lengths, job.num_choices)
        self._num_open = job.num_sequences

    def start(self, at: float) -> None:
        """Record when a sequence was first scheduled, in monotonic seconds."""
        if self._seconds_to_start is None:
            self._seconds_to_start = at - self._arrived_at

    def add(self, delta: TextDelta) -> None:
        """Record a delta for the client."""
        if self._seconds_to_first_token is None:
            self._seconds_to_first_token = monotonic() - self._arrived_at
        self._tally.add(delta)
        if delta.finish_reason:
            self._ends[delta.finish_reason] += 1
            self._num_open -= 1

    def end(self, reason: str) -> None:
        """Record why unfinished sequences ended: ``abort``, ``error``, ..."""
        if self._num_open:
            self._ends[reason] += self._num_open
            self._num_open = 0

    def charge(self, joules: float, source: str | None) -> None:
        """Record the request's share of the energy; source is None if nothing is measured."""
        if source is not None:
            self._energy = {"energy_joules": round(joules, 6), "energy_source": source}

    def fields(self) -> dict[str, object]:
        """Return the fields of a log line. Times are seconds since the request arrived."""
        model = {} if self.model is None else {"model": self.model}
        if not self._ends:
            return dict(model)
        start, first = self._seconds_to_start, self._seconds_to_first_token
        return model | {
            "prompt_tokens": self._tally.num_prompt,
            "cached_tokens": self._tally.num_cached,
            "output_tokens": self._tally.num_generated,
            "queue_seconds": None if start is None else round(start, 4),
            "first_token_seconds": None if first is None else round(first, 4),
            "finish_reason": ",".join(sorted(self._ends)),
            **self._energy,
        }


current_record: ContextVar[RequestRecord | None] = ContextVar("current_record", default=None)
"""The record of the request that this task serves; tasks that it starts share it."""
