"""The engine on its own thread, for asyncio: one async generator of tokens per request.

There are two threads. The engine thread owns the core and receives commands through an inbox that
it empties between steps. The event loop owns the streams and receives all outputs of a step in one
call. There are no locks, and neither thread waits for the other.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from queue import SimpleQueue
from threading import Thread
from time import monotonic
from typing import Self, TypeVar
from uuid import uuid4

from sterna.engine.config import EngineConfig
from sterna.engine.constraints.guide import Guide
from sterna.engine.constraints.mask_pool import MaskPool
from sterna.engine.core import EngineCore
from sterna.engine.energy.accounting import EnergyAccounting
from sterna.engine.energy.build import build_meter
from sterna.engine.errors import ContextLengthError, EngineDeadError, EngineError, RequestError
from sterna.engine.footprint import Footprint
from sterna.engine.load import load_engine
from sterna.engine.model_info import ModelInfo
from sterna.engine.progress import Progress
from sterna.engine.requests.outputs import EngineStats, TokenOutput
from sterna.engine.requests.request import EnergyShare, Request, SamplingParams
from sterna.engine.streams import Streams

STOP_TIMEOUT_SECONDS = 30.0  # the longest wait for the step in flight; then the thread is left

T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Add:
    request: Request


@dataclass(frozen=True, slots=True)
class _Abort:
    request_id: str


@dataclass(frozen=True, slots=True)
class _Stop:
    pass


_Command = _Add | _Abort | _Stop


class AsyncEngine:
    """Generates tokens for many requests at once.

    Call ``load``, then ``start`` in a running event loop, ``generate``, and ``stop``. It starts
    and ends the threads of the parts that it is given, too.
    """

    def __init__(
        self, core: EngineCore, model: ModelInfo, energy: EnergyAccounting, masks: MaskPool
    ) -> None:
        self._core = core
        self._energy = energy
        self._model = model
        self._stats = core.stats()
        self._inbox: SimpleQueue[_Command] = SimpleQueue()
        self._streams = Streams()
        self._masks = masks
        self._thread = Thread(target=self._run, name="sterna-engine", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end_reason: str | None = None
        self._last_progress: float | None = None  # monotonic seconds; None when idle

    @classmethod
    def load(cls, config: EngineConfig, progress: Progress | None = None) -> Self:
        """Load the weights and build the model; blocks.

        ``progress`` is called with what is being done, the amount done, and the total.
        Raises CheckpointError, ConfigError.
        """
        loaded = load_engine(config, build_meter(config), progress)
        return cls(loaded.core, loaded.model, loaded.energy, MaskPool())

    @property
    def model(self) -> ModelInfo:
        """The model that is served."""
        return self._model

    @property
    def footprint(self) -> Footprint:
        """Memory of the engine, and the kernels in use."""
        return self._core.footprint

    @property
    def energy(self) -> EnergyAccounting:
        """Energy: measured, charged to requests, and modelled."""
        return self._energy

    @property
    def is_alive(self) -> bool:
        """True from ``start`` until the engine is stopped or dies."""
        return self._end_reason is None and self._thread.is_alive()

    @property
    def seconds_since_progress(self) -> float:
        """Seconds since the last step ended, or since work arrived; 0.0 when idle."""
        last = self._last_progress
        return 0.0 if last is None else monotonic() - last

    def stats(self) -> EngineStats:
        """Return the counters after the last step; cheap, from any thread."""
        return self._stats

    def start(self) -> None:
        """Start the engine thread; call it once, inside the event loop that will generate."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        self._energy.sampler.start()

    async def stop(self) -> None:
        """End the thread after the step in flight; unfinished requests get EngineDeadError."""
        if self._thread.is_alive():
            self._inbox.put(_Stop())
            await asyncio.to_thread(self._thread.join, STOP_TIMEOUT_SECONDS)
        await asyncio.to_thread(self._masks.close)
        self._energy.sampler.stop()

    def check(self, num_prompt_tokens: int, max_tokens: int) -> None:
        """Raise RequestError or ContextLengthError for a request that can never be served."""
        if num_prompt_tokens < 1:
            raise RequestError("The prompt is empty.")
        if num_prompt_tokens + max_tokens > self._model.max_context_tokens:
            limit = self._model.max_context_tokens
            raise ContextLengthError(num_prompt_tokens, max_tokens, limit)

    async def generate(
        self,
        prompt_token_ids: list[int],
        params: SamplingParams,
        request_id: str | None = None,
        energy: EnergyShare | None = None,
    ) -> AsyncGenerator[TokenOutput, None]:
        """Yield the tokens of one request as they are generated; the last has a finish_reason.

        The request is submitted at the first iteration, and aborted when the generator is closed
        early. A given id must never have been used before. ``energy`` is charged with the energy of
        the request, as of the meter's last reading. Raises RequestError before any token if the
        request cannot be served (see ``check``), GenerationError if it fails, EngineDeadError if
        the engine fails.
        """
        request = self._make_request(prompt_token_ids, params, request_id or uuid4().hex)
        request.energy = energy or request.energy
        if not self.is_alive:
            raise EngineDeadError(self._end_reason or "the engine has not been started")
        stream = self._streams.open(request.request_id)
        self._inbox.put(_Add(request))
        try:
            while True:
                output = await stream.get()
                if isinstance(output, EngineError):
                    raise output
                yield output
                if output.finish_reason:
                    return
        finally:
            if self._streams.close(request.request_id, stream):  # it was not finished
                self._inbox.put(_Abort(request.request_id))

    def _make_request(
        self, prompt_token_ids: list[int], params: SamplingParams, request_id: str
    ) -> Request:
        self.check(len(prompt_token_ids), params.max_tokens)
        self._check_token_ids("token ids", prompt_token_ids)
        self._check_token_ids("token ids in logit_bias", params.logit_bias)
        self._check_token_ids("stop_token_ids", params.stop_token_ids)
        if not params.ignore_eos:
            stops = params.stop_token_ids | self._model.eos_token_ids
            params = replace(params, stop_token_ids=stops)
        seed = secrets.randbits(64) if params.seed is None else params.seed
        request = Request(request_id, list(prompt_token_ids), params, seed)
        if params.constraint is not None:
            request.guide = Guide(params.constraint, self._model.vocab_size, self._masks)
        return request

    def _check_token_ids(self, name: str, token_ids: Collection[int]) -> None:
        limit = self._model.vocab_size
        if token_ids and not 0 <= min(token_ids) <= max(token_ids) < limit:
            raise RequestError(f"{name} must be from 0 to {limit - 1}")

    def _run(self) -> None:
        """Run steps until stopped. This and all methods below run on the engine thread."""
        try:
            while self._handle_commands():
                self._note_progress()
                if self._core.has_work:
                    outputs = self._core.step()
                    self._note_progress()
                    self._post(self._streams.dispatch, outputs)
            self._end("the engine has been stopped")
        except Exception as error:
            logger.exception("the engine thread died")
            self._end(f"the engine died: {error!r}")

    def _handle_commands(self) -> bool:
        """Handle the commands since the last step. Returns False for a command to stop."""
        for command in self._next_commands():
            match command:
                case _Add(request):
                    self._core.add(request)
                case _Abort(request_id):
                    self._core.abort(request_id)
                case _Stop():
                    return False
        return True

    def _next_commands(self) -> Iterator[_Command]:
        """Yield the commands in the inbox; without work, wait for one."""
        if not self._core.has_work:
            yield self._inbox.get()
        while not self._inbox.empty():  # only this thread takes from it
            yield self._inbox.get()

    def _note_progress(self) -> None:
        self._last_progress = monotonic() if self._core.has_work else None
        self._energy.sampler.note_work(self._core.has_work)
        self._stats = self._core.stats()

    def _end(self, reason: str) -> None:
        self._end_reason = reason
        self._last_progress = None
        self._energy.sampler.note_work(False)
        self._post(self._streams.fail_all, reason)

    def _post(self, callback: Callable[[T], None], argument: T) -> None:
        assert self._loop is not None
        with suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(callback, argument)
