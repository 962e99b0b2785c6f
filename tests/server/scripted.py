"""The real engine thread, scheduler and cache around a model that says what a test wants.

The checkpoint folder has a tokenizer of one token a byte, so texts and ids are easily told.
"""

import threading
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from fastapi import FastAPI
from tokenizers import Tokenizer as Encoder

from sterna.engine import AsyncEngine, EnergyAccounting, ModelInfo, SamplingParams
from sterna.engine.constraints.mask_pool import MaskPool
from sterna.engine.core import EngineCore, Runner
from sterna.engine.footprint import Footprint
from sterna.engine.requests.batch import (
    BatchEntry,
    Ended,
    NotFinite,
    Outcome,
    Outcomes,
    SampledToken,
)
from sterna.engine.requests.logprobs import PromptLogprob
from sterna.engine.requests.request import FinishReason, Request
from sterna.engine.scheduling.kv_cache import KVCache
from sterna.engine.scheduling.scheduler import Scheduler
from sterna.engine.synth.tokenizer import special_tokens, write_tokenizer
from sterna.server.app import create_app
from sterna.server.served_model import ServedModel
from sterna.server.settings import Settings
from sterna.server.text.checkpoint_text import FolderText

VOCAB_SIZE = 320
SPECIAL = special_tokens(VOCAB_SIZE)
MAX_CONTEXT = 256
NUM_BLOCKS, BLOCK_TOKENS = 128, 4
BATCH_TOKENS, BATCH_REQUESTS = 16, 4
FOOTPRINT = Footprint(
    1000, 2560, "none", "scripted", 1, fp16_weight_bytes=8000, head_bytes=300
)  # scratch is not known
LOGPROB = -0.5  # of every token
LIMIT_SECONDS = 15.0  # for a test that hangs, or a machine that is paused

NEVER_SECONDS = 3600
CLOCKS = (
    "ping_seconds",
    "send_timeout_seconds",
    "receive_timeout_seconds",
    "shutdown_seconds",
    "constraint_seconds",
)

Reply = Callable[[Sequence[int], SamplingParams], Sequence[int]]


@cache
def tokenizer() -> Encoder:
    """The tokenizer of ``make_folder``."""
    with TemporaryDirectory() as folder:
        return Encoder.from_file(str(make_folder(Path(folder)) / "tokenizer.json"))


def ids_of(text: str) -> list[int]:
    """One id for each byte."""
    ids: list[int] = tokenizer().encode(text, add_special_tokens=False).ids
    return ids


def says(text: str) -> Reply:
    """A model that answers everything with ``text``, then ends."""
    ids = [*ids_of(text), SPECIAL.end_of_turn]
    return lambda prompt, params: ids


def babbles() -> Reply:
    """A model that never ends of itself."""
    ids = ids_of("abcdefghij") * 100
    return lambda prompt, params: ids


class ScriptedModel:
    """Gives each request the tokens of ``reply``, one a step.

    Closed (``is_open`` false), it holds each step until ``allow``, and says so (``is_holding``). A
    reply may hold -1: there, the logits are not finite. ``steps`` has the number of tokens computed
    for each request of a step.
    """

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.is_open = True
        self.is_holding = False
        self.error: Exception | None = None
        self.steps: list[list[int]] = []
        self._gate = threading.Semaphore(0)

    def allow(self, num_steps: int = 1) -> None:
        """Let steps pass the closed gate."""
        self._gate.release(num_steps)

    def run(self, batch: Sequence[BatchEntry]) -> list[Outcomes]:
        """Compute a step."""
        if not self.is_open:
            self.is_holding = True
            assert self._gate.acquire(timeout=LIMIT_SECONDS)
            self.is_holding = False
        if self.error is not None:
            raise self.error
        self.steps.append([entry.num_tokens for entry in batch])
        for entry in batch:
            _score(entry)
        return [(self._sample(entry.request),) for entry in batch if entry.samples]

    def _sample(self, request: Request) -> Outcome:
        if not request.params.max_tokens:
            return Ended(FinishReason.LENGTH)
        prompt = request.token_ids[: request.num_prompt_tokens]
        token_id = self.reply(prompt, request.params)[request.num_output_tokens]
        return NotFinite() if token_id < 0 else SampledToken(token_id, LOGPROB)


def _score(entry: BatchEntry) -> None:
    """Score the prompt tokens of an entry, as the model runner does."""
    request = entry.request
    first = request.next_logits_position + 1
    scored = request.token_ids[first : first + entry.num_scored]
    if scored:
        assert request.prompt_logprobs is not None
        request.prompt_logprobs += [PromptLogprob(token_id, LOGPROB, (), 1) for token_id in scored]


def make_engine(model: Runner, energy: EnergyAccounting | None = None) -> AsyncEngine:
    """An engine that is not started."""
    scheduler = Scheduler(
        KVCache(NUM_BLOCKS, BLOCK_TOKENS), BATCH_TOKENS, BATCH_REQUESTS, BATCH_TOKENS
    )
    core = EngineCore(scheduler, model, FOOTPRINT)
    eos = frozenset({SPECIAL.end_of_text, SPECIAL.end_of_turn})
    model_info = ModelInfo(VOCAB_SIZE, MAX_CONTEXT, eos, 0)
    return AsyncEngine(core, model_info, energy or EnergyAccounting(), MaskPool())


def make_app(folder: Path, settings: Settings, engine: AsyncEngine) -> FastAPI:
    """The app around such an engine."""
    return create_app(settings, ServedModel.assemble(settings, FolderText(folder), lambda: engine))


def make_folder(folder: Path) -> Path:
    """A checkpoint without weights."""
    write_tokenizer(folder, VOCAB_SIZE, MAX_CONTEXT)
    return folder


def make_settings(folder: Path, **values: object) -> Settings:
    """Settings for the engine of ``make_engine``, as ``checkpoint.resolve`` would return them.

    Unless a test asks for it, nothing depends on how much time goes by.
    """
    defaults = {
        "model": str(folder),
        "served_model_name": ("scripted", "alias/of-it"),
        "max_batch_requests": BATCH_REQUESTS,
        "max_waiting_requests": 8,
        "port": 0,
        "allowed_hosts": ("*",),  # a test may call us anything
        **dict.fromkeys(CLOCKS, NEVER_SECONDS),
    }
    return Settings.model_validate(defaults | values)
