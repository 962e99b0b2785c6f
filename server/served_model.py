"""One model with everything needed to serve it."""

from collections.abc import Callable
from dataclasses import dataclass
from time import time
from typing import Self

from sterna.engine import AsyncEngine, CheckpointError, Progress
from sterna.server.answers.logprobs import LogprobWriter
from sterna.server.constraints.compiler import CompileLimits, ConstraintCompiler
from sterna.server.engine_config import engine_config
from sterna.server.errors import shown
from sterna.server.generation.prompts import PromptEncoder
from sterna.server.generation.sampling import SamplingDefaults
from sterna.server.settings import Settings
from sterna.server.text.checkpoint_text import CheckpointText
from sterna.server.text.texts import checkpoint_text
from sterna.server.text.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class ServedModel:
    """The engine, and the parts that convert requests to token ids and back."""

    names: tuple[str, ...]  # by which clients ask for it, its own first
    engine: AsyncEngine
    tokenizer: Tokenizer
    constraints: ConstraintCompiler
    encoder: PromptEncoder
    logprobs: LogprobWriter
    loaded_at: int  # Unix time, seconds

    @property
    def name(self) -> str:
        """Its own name, for requests that name none."""
        return self.names[0]

    @classmethod
    def load(cls, settings: Settings, progress: Progress) -> Self:
        """Load the model of settings that ``checkpoint.resolve`` returned; blocks.

        Raises CheckpointError, ConfigError.
        """
        config = engine_config(settings)
        text = checkpoint_text(config.model_path)
        return cls.assemble(settings, text, lambda: AsyncEngine.load(config, progress))

    @classmethod
    def assemble(
        cls, settings: Settings, text: CheckpointText, load_engine: Callable[[], AsyncEngine]
    ) -> Self:
        """Put a text side and an engine together.

        load_engine: called once the text side is loaded, because it takes long.
        Raises CheckpointError, or what ``load_engine`` raises.
        """
        tokenizer, defaults = Tokenizer.load(text), SamplingDefaults.load(text)
        engine = load_engine()
        _check_vocabulary(text, tokenizer, engine.model.vocab_size)
        constraints = ConstraintCompiler(
            text.tokenizer_json,
            engine.model.vocab_size,
            engine.model.eos_token_ids,
            CompileLimits(settings.max_constraint_bytes, settings.constraint_seconds),
        )
        return cls(
            names=settings.served_model_name,
            engine=engine,
            tokenizer=tokenizer,
            constraints=constraints,
            encoder=PromptEncoder(engine, tokenizer, defaults, constraints),
            logprobs=LogprobWriter(tokenizer.vocabulary),
            loaded_at=int(time()),
        )

    def start(self) -> None:
        """Start its thread; in the event loop that will serve it."""
        self.engine.start()

    async def stop(self) -> None:
        """End them. Requests that are still open get EngineDeadError."""
        self.constraints.stop()
        await self.engine.stop()


def _check_vocabulary(text: CheckpointText, tokenizer: Tokenizer, vocab_size: int) -> None:
    """Raise CheckpointError if a token is outside the model's vocabulary, or means no bytes."""
    last = tokenizer.vocabulary.num_ids - 1
    if last >= vocab_size:
        raise CheckpointError(
            f"{text.place_of('tokenizer')}: contains token id {last}, "
            f"but the model's vocabulary ends at {vocab_size - 1}"
        )
    foreign = tokenizer.vocabulary.foreign_token
    if foreign is not None:
        raise CheckpointError(
            f"{text.place_of('tokenizer')}: token {shown(foreign)} has characters that stand for "
            "no byte, but its decoder is ByteLevel"
        )
