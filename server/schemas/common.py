"""What the two generation endpoints share: how to generate, and what says nothing about it."""

from itertools import islice
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from sterna.server.schemas.body import Body, Items, Neutral
from sterna.server.schemas.logprobs import MAX_LOGPROBS

MAX_STOPS = 16
MAX_CHOICES = 128
SEED_LIMIT = 2**63
MAX_DIGITS = 10  # of a token id
MAX_BIAS = 100
NO_LIMIT = -1  # as a number of tokens: what the context leaves


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _by_token_id(value: object) -> object:
    """JSON writes all keys as strings. Of wrong biases one is left, which is enough to describe."""
    if not isinstance(value, dict):
        return value
    biases = {_token_id(str(key)): bias for key, bias in value.items()}
    if len(biases) < len(value):
        raise ValueError("names a token twice")
    wrong = (item for item in biases.items() if not _is_bias(item[1]))
    return dict(islice(wrong, 1)) or biases


def _token_id(key: str) -> int:
    if not (key.isascii() and key.isdigit() and len(key) < MAX_DIGITS):
        raise ValueError(f"the keys are token ids, found {key[:MAX_DIGITS]!r}")
    return int(key)


def _is_bias(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= MAX_BIAS


def check_limit(value: int | None) -> int | None:
    """Raise ValueError unless so many tokens may be written."""
    if value == 0:
        raise ValueError(f"must be at least 1, or {NO_LIMIT} for no limit, found 0")
    return value


Limit = Annotated[
    int,
    Field(ge=NO_LIMIT, json_schema_extra={"not": {"const": 0}}),
    AfterValidator(check_limit),
]
Stop = Annotated[str, Field(min_length=1)]
Stops = Annotated[
    Items[Stop],
    Field(max_length=MAX_STOPS),
    BeforeValidator(_as_list, json_schema_input_type=Stop | list[Stop]),
]
Bias = Annotated[float, Field(ge=-MAX_BIAS, le=MAX_BIAS)]
LogitBias = Annotated[dict[int, Bias], BeforeValidator(_by_token_id)]


class StreamOptions(Body):
    """What a stream carries beside the text."""

    neutral: ClassVar[Neutral] = {"include_obfuscation": (False,)}

    include_usage: bool = False
    continuous_usage_stats: bool = False
    include_energy: bool = False


class SamplingFields(Body):
    """How to generate: the same for chat and for completions. ``None``: the model's default."""

    neutral: ClassVar[Neutral] = {  # what vllm-router writes into every request
        "continue_final_message": (False,),
        "guided_choice": (),
        "guided_decoding_backend": (),
        "guided_grammar": (),
        "guided_json": (),
        "guided_regex": (),
        "guided_whitespace_pattern": (),
        "include_reasoning": (True, False),  # nothing here reasons apart from its answer
        "no_stop_trim": (False,),
        "return_hidden_states": (False,),
        "separate_reasoning": (True, False),
        "stream_reasoning": (True, False),
    }
    inert: ClassVar[frozenset[str]] = frozenset(
        {"user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key"}
        | {"prompt_cache_options", "prompt_cache_retention"}
    )

    model: str | None = None  # the one that is served
    max_tokens: Limit | None = None
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
    store: bool | None = None  # nothing is
    service_tier: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: dict[str, Any] | None = None
    prompt_cache_retention: str | None = None

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
            raise ValueError("not available when stream is true")
        return value

    @property
    def num_choices(self) -> int:
        """How many answers to each prompt."""
        return self.n or 1

    @property
    def num_logprobs(self) -> int | None:
        """Alternatives to list for each token; None: no logprobs at all."""
        return None

    @property
    def num_prompt_logprobs(self) -> int | None:
        """Alternatives to know for each token of the prompt; None: do not score it."""
        return self.prompt_logprobs

    @property
    def lists_tokens(self) -> bool:
        """Whether an answer tells its tokens, and not only their text."""
        return self.num_logprobs is not None or bool(self.return_token_ids)

    @property
    def include_usage(self) -> bool:
        """Whether a stream ends with a chunk of token counts."""
        options = self.stream_options
        return self.tells_energy or (options is not None and options.include_usage)

    @property
    def tells_energy(self) -> bool:
        """Whether the usage has the response's share of the measured energy."""
        options = self.stream_options
        return bool(self.include_energy) or (options is not None and options.include_energy)

    @property
    def continuous_usage(self) -> bool:
        """Whether every chunk of a stream has token counts."""
        return self.stream_options is not None and self.stream_options.continuous_usage_stats
