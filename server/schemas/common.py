"""What the two generation endpoints share: how to generate, and what says nothing about it."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from server.schemas.body import Body, Neutral

MAX_STOPS = 16
MAX_CHOICES = 128
SEED_LIMIT = 2**63


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Stop = Annotated[str, Field(min_length=1)]
Stops = Annotated[list[Stop], Field(max_length=MAX_STOPS), BeforeValidator(_as_list)]


class StreamOptions(Body):
    """What a stream carries beside the text."""

    neutral: ClassVar[Neutral] = {"include_obfuscation": (False,)}

    include_usage: bool = False


class SamplingFields(Body):
    """How to generate: the same for chat and for completions. ``None``: the model's default."""

    neutral: ClassVar[Neutral] = {
        "frequency_penalty": (0,),
        "presence_penalty": (0,),
        "repetition_penalty": (1,),
        "logit_bias": ({},),
        "min_tokens": (0,),
        "stop_token_ids": ([],),
    }

    model: str
    max_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=-1, lt=2**31)
    min_p: float | None = Field(None, ge=0, le=1)
    seed: int | None = Field(None, ge=-SEED_LIMIT, lt=SEED_LIMIT)
    stop: Stops | None = None
    n: int | None = Field(None, ge=1, le=MAX_CHOICES)
    ignore_eos: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    # Inert: these say who asks and how to account for it, never what to write.
    user: str | None = None
    metadata: dict[str, Any] | None = None
    store: Literal[False] | None = None
    service_tier: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None

    @field_validator("stream_options")
    @classmethod
    def _belongs_to_a_stream(
        cls, value: StreamOptions | None, info: ValidationInfo
    ) -> StreamOptions | None:
        if value is not None and not info.data.get("stream"):
            raise ValueError("allowed only when stream is true")
        return value

    @property
    def num_choices(self) -> int:
        """How many answers to each prompt."""
        return self.n or 1

    @property
    def include_usage(self) -> bool:
        """Whether a stream ends with a chunk of token counts."""
        return self.stream_options is not None and self.stream_options.include_usage
