"""What the two generation endpoints share: bounds of the fields, usage, and what is refused.

A field is either honoured, or inert because it can never change the output, or refused with its
name: nothing is accepted and then ignored. A field that is not supported may still be sent with
the value that means "off".
"""

from time import time
from typing import Annotated, Any, ClassVar, Literal, TypedDict
from uuid import uuid4

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

MAX_STOPS = 16
MAX_CHOICES = 128
SEED_LIMIT = 2**63

Neutral = dict[str, tuple[object, ...]]


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def is_unicode(text: str) -> bool:
    """False if the JSON escaped half a character: no tokenizer takes a lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_unicode(text: str) -> str:
    if not is_unicode(text):
        raise ValueError("must not contain lone surrogates")
    return text


def _is_same(a: object, b: object) -> bool:
    """Whether two JSON values are equal; Python also takes false for 0, and true for 1."""
    return a == b and isinstance(a, bool) == isinstance(b, bool)


Text = Annotated[str, AfterValidator(_check_unicode)]
Stop = Annotated[str, Field(min_length=1)]
Stops = Annotated[list[Stop], Field(max_length=MAX_STOPS), BeforeValidator(_as_list)]


class Body(BaseModel):
    """A JSON object of which every field is known, and no type is guessed ("1" is no number)."""

    model_config = ConfigDict(strict=True, extra="forbid")

    neutral: ClassVar[Neutral] = {}
    """Fields that are not supported, with the values, beside null, that leave them off."""

    @model_validator(mode="before")
    @classmethod
    def _drop_what_is_off(cls, data: Any) -> Any:  # noqa: ANN401 (any JSON)
        if not isinstance(data, dict):
            return data
        return {k: v for k, v in data.items() if not cls._is_off(k, v)}

    @classmethod
    def _is_off(cls, name: str, value: object) -> bool:
        if name not in cls.neutral:
            return False
        return value is None or any(_is_same(value, off) for off in cls.neutral[name])


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


class PromptTokensDetails(BaseModel):
    """Where prompt tokens came from."""

    cached_tokens: int


class Usage(BaseModel):
    """Token counts of a whole response. Each prompt counts once, also if ``n`` is more."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails


# A chunk without usage does not name the field at all.
OptionalUsage = Annotated[Usage | None, Field(exclude_if=lambda usage: usage is None)]
EndReason = Literal["stop", "length"]


class ResponseHead(TypedDict):
    """What all events of a stream have in common."""

    id: str
    created: int  # Unix time, seconds
    model: str


def new_head(prefix: str, model: str) -> ResponseHead:
    """A head with a new id, such as ``chatcmpl-...``."""
    return {"id": f"{prefix}-{uuid4().hex}", "created": int(time()), "model": model}
