"""Fields that the two generation endpoints share."""

from itertools import islice
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from sterna.engine import MAX_BIAS, MAX_LOGPROBS
from sterna.server.schemas.body import Body, Items, Neutral

MAX_STOPS = 16
MAX_CHOICES = 128
SEED_LIMIT = 2**63
MAX_DIGITS = 10  # of a token id


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _by_token_id(value: object) -> object:
    """Convert the keys, which are strings in JSON; of invalid biases keep one, to describe it."""
    if not isinstance(value, dict):
        return value
    biases = {_token_id(str(key)): bias for key, bias in value.items()}
    if len(biases) < len(value):
        raise ValueError("the same token id appears twice")
    wrong = (item for item in biases.items() if not _is_bias(item[1]))
    return dict(islice(wrong, 1)) or biases


def _token_id(key: str) -> int:
    if not (key.isascii() and key.isdigit() and len(key) < MAX_DIGITS):
        raise ValueError(f"keys must be token ids, found {key[:MAX_DIGITS]!r}")
    return int(key)


def _is_bias(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= MAX_BIAS


Stop = Annotated[str, Field(min_length=1)]
Stops = Annotated[
    Items[Stop],
    Field(max_length=MAX_STOPS),
    BeforeValidator(_as_list, json_schema_input_type=Stop | list[Stop]),
]
Bias = Annotated[float, Field(ge=-MAX_BIAS, le=MAX_BIAS)]
LogitBias = Annotated[dict[int, Bias], BeforeValidator(_by_token_id)]


class StreamOptions(Body):
    """What a stream contains besides the text."""

    neutral: ClassVar[Neutral] = {"include_obfuscation": (False,)}

    include_usage: bool = False
    continuous_usage_stats: bool = False
    include_energy: bool = False


class SamplingFields(Body):
    """How to generate, for chat and for completions. ``None`` means the model's default."""

    neutral: ClassVar[Neutral] = {  # what vllm-router writes into every request
        "continue_final_message": (False,),
        "include_reasoning": (True, False),  # nothing here reasons apart from its answer
        "no_stop_trim": (False,),
        "return_hidden_states": (False,),
        "separate_reasoning": (True, False),
        "stream_reasoning": (True, False),
    }
    inert: ClassVar[frozenset[str]] = frozenset(
        {"user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key"}
    )

    model: str
    max_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=-1, lt=2**31)
    min_p: float | None = Field(None, ge=0, le=1)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    repetition_penalty: float | None = Field(None, gt=0, le=2)
    logit_bias: LogitBias | None = None
    seed: int | None = Field(None, ge=-SEED_LIMIT, lt=SEED_LIMIT)
    n: int | None = Field(None, ge=1, le=MAX_CHOICES)
    priority: int | None = Field(None, ge=-(2**31), lt=2**31)

    stop: Stops | None = None
    stop_token_ids: Items[int] | None = None
    include_stop_str_in_output: bool | None = None
    ignore_eos: bool | None = None
    min_tokens: int | None = Field(None, ge=0)
    skip_special_tokens: bool | None = None

    stream: bool | None = None
    stream_options: StreamOptions | None = None
    prompt_logprobs: int | None = Field(None, ge=0, le=MAX_LOGPROBS)
    return_token_ids: bool | None = None
    include_energy: bool | None = None

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

    @field_validator("prompt_logprobs")
    @classmethod
    def _belongs_to_no_stream(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and info.data.get("stream"):
            raise ValueError("not allowed when stream is true")
        return value

    @property
    def num_choices(self) -> int:
        """Number of answers to each prompt."""
        return self.n or 1

    @property
    def num_logprobs(self) -> int | None:
        """Number of alternatives for each token; None for no logprobs."""
        return None

    @property
    def num_prompt_logprobs(self) -> int | None:
        """Number of alternatives for each prompt token; None to not score the prompt."""
        return self.prompt_logprobs

    @property
    def lists_tokens(self) -> bool:
        """Whether the answer contains its tokens, not only their text."""
        return self.num_logprobs is not None or bool(self.return_token_ids)

    @property
    def include_usage(self) -> bool:
        """Whether a stream ends with a chunk of token counts."""
        options = self.stream_options
        return self.tells_energy or (options is not None and options.include_usage)

    @property
    def tells_energy(self) -> bool:
        """Whether the usage contains the response's share of the measured energy."""
        options = self.stream_options
        return bool(self.include_energy) or (options is not None and options.include_energy)

    @property
    def continuous_usage(self) -> bool:
        """Whether every chunk of a stream contains token counts."""
        return self.stream_options is not None and self.stream_options.continuous_usage_stats
