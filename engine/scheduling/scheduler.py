"""Continuous batching: chooses which tokens of which requests run in the next step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from time import monotonic

from sterna.engine.requests.batch import (
    BatchEntry,
    Ended,
    NotFinite,
    Outcome,
    Outcomes,
    SampledToken,
)
from sterna.engine.requests.request import FinishReason, Request
from sterna.engine.scheduling.kv_cache import KVCache
from sterna.engine.scheduling.ranked_requests import RankedRequests

SECONDS_PER_LEVEL = 2.0  # of priority
MAX_LEVELS = 5  # by which a priority may differ from 0
MAX_SCORED_ROWS = 64  # logits of a step that score prompts: 33 MB of them at 128,256 tokens


class Scheduler:
    """Runs the most urgent requests first; preempts the least urgent when the cache is full.

    Lower priority values run first; ties go to the earlier arrival. To prevent starvation, each
    ``SECONDS_PER_LEVEL`` of waiting counts as one level of priority, so a request is overtaken only
    by those that arrive within that time per level between them; and a priority counts for at most
    ``max_levels`` above or below 0. All requests age alike, so the ``rank`` of a request is its
    arrival time plus that time per level of its priority, and never changes. With a single
    priority, requests run in order of arrival.

    Decoding requests get their token before any prompt. While there are any, all prompts together
    get at most ``max_chunk_tokens`` per step, so that a new prompt slows streams down but never
    stops them. Without decoding requests, prompts get all ``max_batch_tokens``. At most
    ``max_scored_rows`` prompt tokens per step have logits for scoring, in addition to one row of
    logits per running request.

    A request that could not fit the cache alone must be refused before it gets here.
    """

    def __init__(
        self,
        cache: KVCache,
        max_batch_tokens: int,
        max_batch_requests: int,
        max_chunk_tokens: int,
        max_scored_rows: int = MAX_SCORED_ROWS,
        clock: Callable[[], float] = monotonic,
        max_levels: int = MAX_LEVELS,
    ) -> None:
        assert max_batch_requests <= max_batch_tokens, "every decoding request needs one token"
        assert max_scored_rows >= 1, "no prompt would ever be scored"
        self.cache = cache
        self._max_batch_tokens = max_batch_tokens
        self._max_batch_requests = max_batch_requests
        self._max_chunk_tokens = max_chunk_tokens
        self._max_scored_rows = max_scored_rows
        self._clock = clock
        self._max_levels = max_levels
        self._arrivals = count()
        self.waiting = RankedRequests()
        self.running = RankedRequests()
        self.num_preemptions = 0
        self.prefix_tokens_hit = 0
        self.prefix_tokens_asked = 0

    def add(self, request: Request) -> None:
        """Add a new request to the queue."""
        level = min(max(request.params.priority, -self._max_levels), self._max_levels)
        request.rank = (self._clock() + SECONDS_PER_LEVEL * level, next(self._arrivals))
        self.waiting.add(request)

    def abort(self, request: Request) -> None:
        """Remove a request and free its blocks at once."""
        self._finish(request, FinishReason.ABORT)

    def schedule(self) -> list[BatchEntry]:
        """Choose the next batch, and reserve cache blocks for it.

        A request whose pending tokens do not all fit gets a part of them now, the rest in later
        steps, and samples only when it reaches the last.
        """
        budget = self._prompt_budget()
        batch: list[BatchEntry] = []
        for request in self.running:  # preempting shortens it from its end, and so ends this early
            is_decoding = request.num_pending_tokens == 1
            num_tokens = 1 if is_decoding else budget.chunk(request)
            if num_tokens and self._make_room(request, num_tokens):
                batch.append(BatchEntry(request, num_tokens))
                if not is_decoding:
                    budget.spend(request, num_tokens)
        return batch + self._admit(budget)

    def update(
        self, batch: Sequence[BatchEntry], results: Sequence[Outcomes]
    ) -> list[tuple[Request, Outcome, FinishReason | None]]:
        """Apply the results of a step: of each entry that samples, in order.

        Returns what was taken, in order: a request, an outcome, and whether it was the request's
        last. What follows that is dropped.
        """
        for entry in batch:
            self.cache.commit(entry.request, entry.num_tokens)
        grown = [entry.request for entry in batch if entry.samples]
        taken: list[tuple[Request, Outcome, FinishReason | None]] = []
        for request, outcomes in zip(grown, results, strict=True):
            for outcome in outcomes:
                end = self._take(request, outcome)
                taken.append((request, outcome, end))
                if end:
                    break
        return taken

    def _take(self, request: Request, outcome: Outcome) -> FinishReason | None:
        """Apply an outcome. Returns why the request has ended, if it has."""
        if isinstance(outcome, SampledToken):
            end = request.append(outcome.token_id)
        elif isinstance(outcome, Ended):
            end = outcome.reason
        else:
            end = FinishReason.ERROR
            if isinstance(outcome, NotFinite):
                self.cache.discard(request)  # nobody may share it
        if end:
            self._finish(request, end)
        return end

    def _prompt_budget(self) -> "PromptBudget":
        """Tokens for prompts in this step; at least one, unless all that may run are decoding."""
        num_decoding = sum(request.num_pending_tokens == 1 for request in self.running)
        left = self._max_batch_tokens - num_decoding
        num_tokens = min(left, self._max_chunk_tokens) if num_decoding else left
        return PromptBudget(num_tokens, self._max_scored_rows)

    def _admit(self, budget: "PromptBudget") -> list[BatchEntry]:
        """Start waiting requests, most urgent first, while tokens and blocks last.

        All tokens of a request must fit, and leave each running one a block to grow into: else it
        would soon be preempted, for nothing. One preempted in this step never comes straight back:
        it needs every block it gave up, and some are taken. One to be scored may have to start
        without a token, rather than hold up those behind it until others are scored.
        """
        batch: list[BatchEntry] = []
        while self.waiting and budget.num_tokens and len(self.running) < self._max_batch_requests:
            request = self.waiting.first
            self.cache.share_prefix(request)
            if not self.cache.has_room(request, num_spare_blocks=len(self.running)):
                self.cache.release(request)
                break
            num_tokens = budget.chunk(request)
            self.cache.extend(request, num_tokens)
            self._start(request)
            if num_tokens:
                batch.append(BatchEntry(request, num_tokens))
                budget.spend(request, num_tokens)
        return batch

    def _start(self, request: Request) -> None:
        """Move a request from waiting to running; count its prefix hit the first time."""
        self.waiting.discard(request)
        self.running.add(request)
        if request.num_cached_tokens is None:
            request.num_cached_tokens = request.num_computed_tokens
            self.prefix_tokens_hit += request.num_cached_tokens
            if request.prompt_logprobs is None:
                self.prefix_tokens_asked += request.num_prompt_tokens

    def _make_room(self, request: Request, num_tokens: int) -> bool:
        """Reserve blocks, preempting the least urgent as needed; False if it was itself."""
        while not self.cache.extend(request, num_tokens):
            last = self.running.pop_last()
            self.cache.release(last)
            self.waiting.add(last)
            self.num_preemptions += 1
            if last is request:
                return False
        return True

    def _finish(self, request: Request, reason: FinishReason) -> None:
        self.running.discard(request)
        self.waiting.discard(request)
        self.cache.release(request)
        request.finish_reason = reason


@dataclass(slots=True)
class PromptBudget:
    """The tokens of a step that are left for prompts."""

    num_tokens: int
    num_scored_rows: int

    def chunk(self, request: Request) -> int:
        """Return how many pending tokens of a request fit."""
        num_tokens = min(request.num_pending_tokens, self.num_tokens)
        if request.num_scored(num_tokens) <= self.num_scored_rows:
            return num_tokens
        return request.next_logits_position - request.num_computed_tokens + self.num_scored_rows

    def spend(self, request: Request, num_tokens: int) -> None:
        """Subtract what a chunk needs."""
        self.num_tokens -= num_tokens
        self.num_scored_rows -= request.num_scored(num_tokens)
