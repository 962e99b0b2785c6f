"""Continuous batching: chooses which tokens of which requests run in the next step."""

from collections import OrderedDict
from collections.abc import Sequence

from engine.batch import BatchEntry
from engine.kv_cache import KVCache
from engine.request import FinishReason, Request


class Scheduler:
    """First come, first served; preempts the youngest request when the cache is full.

    ``running`` and then ``waiting`` are, together, in order of arrival: both are ordered sets, so
    that a request is found and removed in constant time. Decoding requests get their one token
    before any prompt does, and while there are any, all prompts together get at most
    ``max_chunk_tokens`` a step: a new prompt slows streams down, but never stops them. While
    nothing decodes, nobody waits for the next step, and prompts get all ``max_batch_tokens``.

    A request that could not fit the cache alone must be refused before it gets here.
    """

    def __init__(
        self,
        cache: KVCache,
        max_batch_tokens: int,
        max_batch_requests: int,
        max_chunk_tokens: int,
    ) -> None:
        assert max_batch_requests <= max_batch_tokens, "every decoding request needs one token"
        self.cache = cache
        self._max_batch_tokens = max_batch_tokens
        self._max_batch_requests = max_batch_requests
        self._max_chunk_tokens = max_chunk_tokens
        self.waiting: OrderedDict[Request, None] = OrderedDict()
        self.running: dict[Request, None] = {}
        self.num_preemptions = 0
        self.prefix_tokens_hit = 0
        self.prefix_tokens_asked = 0

    def add(self, request: Request) -> None:
        """Put a new request at the end of the queue."""
        self.waiting[request] = None

    def abort(self, request: Request) -> None:
        """Forget a request wherever it is. Its blocks are free at once."""
        self._finish(request, FinishReason.ABORT)

    def schedule(self) -> list[BatchEntry]:
        """Choose the next batch, and reserve cache blocks for it.

        A request whose pending tokens do not all fit gets a part of them now, the rest in later
        steps, and samples only when it reaches the last.
        """
        prompt_budget = self._prompt_budget()
        batch: list[BatchEntry] = []
        for request in tuple(self.running):
            if request not in self.running:
                break  # preempted, as is every younger one
            pending = request.num_pending_tokens
            num_tokens = 1 if pending == 1 else min(pending, prompt_budget)
            if num_tokens and self._make_room(request, num_tokens):
                batch.append(BatchEntry(request, num_tokens))
                prompt_budget -= num_tokens if pending > 1 else 0
        return batch + self._admit(prompt_budget)

    def update(self, batch: Sequence[BatchEntry], sampled: Sequence[int | None]) -> list[Request]:
        """Apply the result of a step: one token for each entry that samples, in order.

        None stands for a token that could not be chosen; it ends its request with ERROR.
        Returns the requests that sampled, in order.
        """
        grown = [entry.request for entry in batch if entry.samples]
        for entry in batch:
            self.cache.commit(entry.request, entry.num_tokens)
        for request, token_id in zip(grown, sampled, strict=True):
            if token_id is None:
                self.cache.discard(request)
                self._finish(request, FinishReason.ERROR)
                continue
            request.append(token_id)
            if request.finish_reason:
                self._finish(request, request.finish_reason)
        return grown

    def _prompt_budget(self) -> int:
        """Tokens for prompts in this step; at least one, unless all that may run are decoding."""
        num_decoding = sum(request.num_pending_tokens == 1 for request in self.running)
        left = self._max_batch_tokens - num_decoding
        return min(left, self._max_chunk_tokens) if num_decoding else left

    def _admit(self, prompt_budget: int) -> list[BatchEntry]:
        """Start waiting requests, oldest first, while tokens and blocks last.

        All tokens of a request must fit, and leave each running one a block to grow into: else it
        would soon be preempted, for nothing. One preempted in this step never comes straight back:
        it needs every block it gave up, and some are taken.
        """
        batch: list[BatchEntry] = []
        while self.waiting and prompt_budget and len(self.running) < self._max_batch_requests:
            request = next(iter(self.waiting))
            self.cache.share_prefix(request)
            if not self.cache.has_room(request, num_spare_blocks=len(self.running)):
                self.cache.release(request)
                break
            num_tokens = min(request.num_pending_tokens, prompt_budget)
            self.cache.extend(request, num_tokens)
            self._start(request)
            batch.append(BatchEntry(request, num_tokens))
            prompt_budget -= num_tokens
        return batch

    def _start(self, request: Request) -> None:
        """Move a request from waiting to running; count its prefix hit the first time."""
        del self.waiting[request]
        self.running[request] = None
        if request.num_cached_tokens is None:
            request.num_cached_tokens = request.num_computed_tokens
            self.prefix_tokens_hit += request.num_cached_tokens
            self.prefix_tokens_asked += request.num_prompt_tokens

    def _make_room(self, request: Request, num_tokens: int) -> bool:
        """Reserve blocks, preempting the youngest requests as needed; False if it was itself."""
        while not self.cache.extend(request, num_tokens):
            youngest, _ = self.running.popitem()
            self.cache.release(youngest)
            self.waiting[youngest] = None
            self.waiting.move_to_end(youngest, last=False)
            self.num_preemptions += 1
            if youngest is request:
                return False
        return True

    def _finish(self, request: Request, reason: FinishReason) -> None:
        self.running.pop(request, None)
        self.waiting.pop(request, None)
        self.cache.release(request)
        request.finish_reason = reason
